/* Best-improvement interchange for Eq. 10 (Teitz and Bart 1968) with the sums of Resende and
 * Werneck (2007).
 *
 * For client q let d1 be its best value, slot the row that gives it, d2 its second best. Exchanging
 * row i of the set for candidate c changes the score by
 *     gain(c) - loss(i) + keep(c, i),   with sums over clients:
 *     gain(c)    = w max(v_c - d1, 0)                                    over all
 *     loss(i)    = w (d1 - d2)                                           over those of slot i
 *     keep(c, i) = w max(min(v_c, d1) - d2, 0)                           over those of slot i
 * After an exchange only clients whose (d1, d2, slot) changed are subtracted and added again. */
#include "rules.h"
#include "score.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

/* An exchange must gain more than this part of p->size: far above what rounding can add to the sums
 * over FRESH exchanges, which is (2 FRESH + 1)(q / 8 + m + 8) 2^-52 of p->size. */
#define TOLERANCE 1e-9
#define FRESH 32
#define POLL 256 /* rows */

/* Clients listed slot by slot, with what the sums need. */
struct client_list {
    size_t *start; /* [m + 2]: slot i is start[i] .. start[i + 1]; slot m: covered by base */
    uint32_t *client;
    float *d1, *d2;
    double *weight;
};

struct swap {
    const struct scp_select *p;
    uint32_t *set;
    size_t m;
    float *d1, *d2;         /* [q] */
    uint32_t *slot, *slot2; /* [q]: m = base */
    uint8_t *changed;       /* [q] */
    double *gain;           /* [n_candidates] */
    double *keep;           /* [n_candidates][m + 1] */
    double *loss;           /* [m + 1] */
    struct client_list list;
    double sign;
};

static void cover_client(struct swap *s, size_t q) {
    const struct scp_select_input *in = &s->p->in;
    float d1 = s->p->base[q], d2 = d1;
    uint32_t slot = (uint32_t)s->m, slot2 = slot;
    for (uint32_t k = 0; k < s->m; k++) {
        const float v = in->values[s->set[k] * in->q + q];
        if (v > d1) {
            d2 = d1, slot2 = slot;
            d1 = v, slot = k;
        } else if (v > d2) {
            d2 = v, slot2 = k;
        }
    }
    s->d1[q] = d1, s->d2[q] = d2;
    s->slot[q] = slot, s->slot2[q] = slot2;
}

/* Lists the clients marked as changed (or all) by slot. Returns how many. */
static size_t list_clients(struct swap *s, int all) {
    struct client_list *l = &s->list;
    const size_t q_count = s->p->in.q;
    memset(l->start, 0, (s->m + 2) * sizeof *l->start);
    for (size_t q = 0; q < q_count; q++)
        if (all || s->changed[q]) l->start[s->slot[q] + 1]++;
    for (size_t i = 0; i <= s->m; i++) l->start[i + 1] += l->start[i];
    const size_t total = l->start[s->m + 1];
    for (size_t i = s->m + 1; i > 0; i--) l->start[i] = l->start[i - 1]; /* fill positions */
    for (size_t q = 0; q < q_count; q++) {
        if (!all && !s->changed[q]) continue;
        const size_t at = l->start[s->slot[q] + 1]++;
        l->client[at] = (uint32_t)q;
        l->d1[at] = s->d1[q];
        l->d2[at] = s->d2[q];
        l->weight[at] = s->p->in.weights[q];
    }
    l->start[0] = 0;
    return total;
}

static enum scp_status add_candidate(void *context, size_t i, size_t worker) {
    const struct swap *s = context;
    const struct client_list *l = &s->list;
    const float *row = s->p->in.values + s->p->candidates[i] * s->p->in.q;
    (void)worker;
    for (size_t k = 0; k <= s->m; k++) {
        double sums[2];
        const size_t at = l->start[k], size = l->start[k + 1] - at;
        if (size == 0) continue;
        scp_kernels()->coverage.exchange(sums, row, l->client + at, l->d1 + at, l->d2 + at,
                                         l->weight + at, size);
        s->gain[i] += s->sign * sums[0];
        s->keep[i * (s->m + 1) + k] += s->sign * sums[1];
    }
    return SCP_OK;
}

static enum scp_status accumulate(struct swap *s, double sign, const struct scp_control *control) {
    const struct client_list *l = &s->list;
    s->sign = sign;
    for (size_t k = 0; k <= s->m; k++)
        for (size_t at = l->start[k]; at < l->start[k + 1]; at++)
            s->loss[k] += sign * l->weight[at] * ((double)l->d1[at] - (double)l->d2[at]);
    const struct scp_select *p = s->p;
    const struct scp_cuda_clients clients = {l->start, s->m + 1, l->client,
                                             l->d1,    l->d2,    l->weight};
    if (p->device)
        return p->cuda->exchange(p->device, s->gain, s->keep, sign, p->candidates, p->n_candidates,
                                 &clients);
    return scp_parallel(p->n_candidates, add_candidate, s, control);
}

static enum scp_status sums_afresh(struct swap *s, const struct scp_control *control) {
    for (size_t q = 0; q < s->p->in.q; q++) cover_client(s, q);
    list_clients(s, 1);
    memset(s->gain, 0, s->p->n_candidates * sizeof *s->gain);
    memset(s->keep, 0, s->p->n_candidates * (s->m + 1) * sizeof *s->keep);
    memset(s->loss, 0, (s->m + 1) * sizeof *s->loss);
    return accumulate(s, 1, control);
}

/* Puts row c in slot i and brings the sums up to date: by difference when less than half of the
 * clients change (*since counts how often), else afresh. */
static enum scp_status exchange(struct swap *s, size_t i, uint32_t c, size_t *since,
                                const struct scp_control *control) {
    const struct scp_select_input *in = &s->p->in;
    const float *row = in->values + c * in->q;
    size_t touched = 0;
    for (size_t q = 0; q < in->q; q++) {
        s->changed[q] = s->slot[q] == i || s->slot2[q] == i || row[q] > s->d2[q];
        touched += s->changed[q];
    }
    if (2 * touched >= in->q || ++*since >= FRESH) {
        *since = 0;
        s->set[i] = c;
        return sums_afresh(s, control);
    }
    list_clients(s, 0);
    enum scp_status status = accumulate(s, -1, control);
    if (status != SCP_OK) return status;
    s->set[i] = c;
    for (size_t q = 0; q < in->q; q++)
        if (s->changed[q]) cover_client(s, q);
    list_clients(s, 0);
    return accumulate(s, 1, control);
}

struct move {
    int found;
    size_t slot; /* m: add */
    uint32_t row;
    double score;
};

/* The set after a move, sorted. */
static size_t moved(const struct swap *s, uint32_t *out, size_t slot, uint32_t row) {
    memcpy(out, s->set, s->m * sizeof *out);
    out[slot] = row;
    const size_t count = slot == s->m ? s->m + 1 : s->m;
    scp_sort_set(out, count);
    return count;
}

static int in_set(const struct swap *s, uint32_t row) {
    for (size_t k = 0; k < s->m; k++)
        if (s->set[k] == row) return 1;
    return 0;
}

static int legal(const struct swap *s, uint32_t *others, size_t slot, uint32_t row) {
    if (slot < s->m && s->p->in.roles[s->set[slot]] == SCP_INCLUDE) return 0;
    if (scp_rules_trivial(s->p)) return 1;
    size_t count = 0;
    for (size_t k = 0; k < s->m; k++)
        if (k != slot) others[count++] = s->set[k];
    return scp_rules_allow(s->p, others, count, row);
}

/* The best move by exact score among those whose sums come near the best, if one improves. */
static enum scp_status best_move(const struct swap *s, struct move *best, int may_add,
                                 uint32_t *trial, uint32_t *leader,
                                 const struct scp_control *control) {
    const struct scp_select *p = s->p;
    const double margin = TOLERANCE * p->size;
    const size_t slots = may_add ? s->m + 1 : s->m;
    double max_change = margin;
    size_t n_leader = 0;
    best->found = 0;
    for (size_t i = 0; i < p->n_candidates; i++) { /* the largest change by the sums */
        const uint32_t row = p->candidates[i];
        if (i % POLL == 0 && scp_poll(control, i, p->n_candidates) != SCP_OK)
            return SCP_EINTERRUPTED;
        if (s->gain[i] <= max_change || in_set(s, row))
            continue; /* keep <= loss: no change above gain */
        for (size_t k = 0; k < slots; k++) {
            const double change =
                k < s->m ? s->gain[i] - s->loss[k] + s->keep[i * (s->m + 1) + k] : s->gain[i];
            if (change > max_change && legal(s, trial, k, row)) max_change = change;
        }
    }
    if (!(max_change > margin)) return SCP_OK;
    for (size_t i = 0; i < p->n_candidates; i++) { /* exact scores of all within the margin of it */
        const uint32_t row = p->candidates[i];
        if (i % POLL == 0 && scp_poll(control, i, p->n_candidates) != SCP_OK)
            return SCP_EINTERRUPTED;
        if (s->gain[i] < max_change - margin || in_set(s, row)) continue;
        for (size_t k = 0; k < slots; k++) {
            const double change =
                k < s->m ? s->gain[i] - s->loss[k] + s->keep[i * (s->m + 1) + k] : s->gain[i];
            if (!(change >= max_change - margin && change > margin) || !legal(s, trial, k, row))
                continue;
            const size_t count = moved(s, trial, k, row);
            const double score = scp_select_score(p, trial, count);
            if (n_leader > 0 &&
                !scp_score_better(score, trial, count, best->score, leader, n_leader))
                continue;
            *best = (struct move){1, k, row, score};
            memcpy(leader, trial, count * sizeof *leader);
            n_leader = count;
        }
    }
    return SCP_OK;
}

static enum scp_status improve(struct swap *s, size_t *count, size_t *swaps, int may_add,
                               uint32_t *trial, uint32_t *leader,
                               const struct scp_control *control) {
    size_t since = 0;
    double score = scp_select_score(s->p, s->set, s->m);
    enum scp_status status = sums_afresh(s, control);
    while (status == SCP_OK) {
        struct move move = {0};
        if (scp_poll(control, *swaps, *swaps + 1) != SCP_OK) return SCP_EINTERRUPTED;
        status = best_move(s, &move, may_add, trial, leader, control);
        if (status != SCP_OK || !move.found || !(move.score > score)) return status;
        score = move.score;
        ++*swaps;
        if (move.slot == s->m) { /* the caller has room for one more only by starting again */
            s->set[(*count)++] = move.row;
            return SCP_OK;
        }
        status = exchange(s, move.slot, move.row, &since, control);
    }
    return status;
}

static void release(struct swap *s) {
    scp_free(s->d1);
    scp_free(s->d2);
    scp_free(s->slot);
    scp_free(s->slot2);
    scp_free(s->changed);
    scp_free(s->gain);
    scp_free(s->keep);
    scp_free(s->loss);
    scp_free(s->list.start);
    scp_free(s->list.client);
    scp_free(s->list.d1);
    scp_free(s->list.d2);
    scp_free(s->list.weight);
}

static enum scp_status prepare(struct swap *s) {
    const size_t q = s->p->in.q, n = s->p->n_candidates;
    size_t cells;
    if (scp_size_mul(n, s->m + 1, &cells)) return SCP_ENOMEM;
    s->d1 = scp_calloc(q, sizeof *s->d1);
    s->d2 = scp_calloc(q, sizeof *s->d2);
    s->slot = scp_calloc(q, sizeof *s->slot);
    s->slot2 = scp_calloc(q, sizeof *s->slot2);
    s->changed = scp_alloc(q, sizeof *s->changed);
    s->gain = scp_alloc(n, sizeof *s->gain);
    s->keep = scp_alloc(cells, sizeof *s->keep);
    s->loss = scp_alloc(s->m + 1, sizeof *s->loss);
    s->list.start = scp_alloc(s->m + 2, sizeof *s->list.start);
    s->list.client = scp_alloc(q, sizeof *s->list.client);
    s->list.d1 = scp_alloc(q, sizeof *s->list.d1);
    s->list.d2 = scp_alloc(q, sizeof *s->list.d2);
    s->list.weight = scp_alloc(q, sizeof *s->list.weight);
    const int ok = s->d1 && s->d2 && s->slot && s->slot2 && s->changed && s->gain && s->keep &&
                   s->loss && s->list.start && s->list.client && s->list.d1 && s->list.d2 &&
                   s->list.weight;
    return ok ? SCP_OK : SCP_ENOMEM;
}

enum scp_status scp_select_swap(uint32_t *set, size_t *count, size_t *swaps,
                                const struct scp_select *p, size_t m,
                                const struct scp_control *control) {
    enum scp_status status = SCP_ENOMEM;
    *swaps = 0;
    uint32_t *trial = scp_alloc(p->in.n + 1, sizeof *trial);
    uint32_t *leader = scp_alloc(p->in.n + 1, sizeof *leader);
    if (!trial || !leader) goto out;
    scp_sort_set(set, *count);
    for (;;) { /* once, and again after each added row */
        struct swap s = {.p = p, .set = set, .m = *count};
        status = prepare(&s);
        if (status == SCP_OK)
            status = improve(&s, count, swaps, m == SCP_SELECT_ANY, trial, leader, control);
        release(&s);
        if (status != SCP_OK || *count == s.m) break;
    }
    scp_sort_set(set, *count);
out:
    scp_free(trial);
    scp_free(leader);
    return status;
}
