/* Lazy greedy for Eq. 10 (Minoux 1978): gains never grow as the set grows, so an old gain is a
 * bound and only rows whose bound reaches the best score of this round are evaluated again. */
#include "heap.h"
#include "rules.h"
#include "score.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

#define CELLS 32768 /* of the matrix, per task */
#define BATCH 64    /* rows evaluated at once, at most */

/* Rows are numbers in candidates. Those evaluated in this round are in `now`, those that will never
 * add anything in `idle`, the others, whose worth is of an earlier round and so a bound, in `old`;
 * what cannot join any more is in none. */
struct greedy {
    const struct scp_select *p;
    const struct scp_control *control;
    size_t m, goal;                 /* goal: what progress counts to */
    uint32_t *set;                  /* [count] */
    size_t count;                   /* rows taken */
    double covered;                 /* score of the set, from base when it is empty */
    struct scp_heap old, now, idle; /* by worth */
    double *worth;                  /* [n_candidates] the gain, or the gain per cost */
    uint8_t *useless;               /* [n_candidates] adds nothing, now and later */
    float *best;                    /* [q] cover of the set */
    uint32_t *fallback;             /* [n] a completion known to be feasible */
    uint32_t *trial;                /* [n] */
    void *scratch;
    int by_ratio;
    const uint32_t *batch; /* [n_batch] to be evaluated */
    size_t n_batch, per_task;
};

static double worth_of(const struct greedy *g, size_t i, double gain) {
    if (!g->by_ratio || gain <= 0) return gain;
    const double cost = g->p->in.costs[g->p->candidates[i]];
    return cost > 0 ? gain / cost : INFINITY;
}

/* Then its gain is exactly 0, now and in every later round. */
static int adds_nothing(const struct greedy *g, uint32_t row) {
    const struct scp_select_input *in = &g->p->in;
    size_t q = 0;
    while (q < in->q && (in->values[row * in->q + q] <= g->best[q] || in->weights[q] == 0)) q++;
    return q == in->q;
}

/* Asks the memory for the first KiB of a row. */
static void fetch(const struct scp_select *p, uint32_t row) {
    const float *from = p->in.values + row * p->in.q;
    for (size_t q = 0; q < p->in.q && q < 256; q += 16) __builtin_prefetch(from + q);
}

static enum scp_status evaluate_task(void *context, size_t task, size_t worker) {
    struct greedy *g = context;
    const size_t at = task * g->per_task, left = g->n_batch - at;
    const size_t end = at + (left < g->per_task ? left : g->per_task);
    (void)worker;
    for (size_t k = at; k < end; k++) {
        const uint32_t i = g->batch[k], row = g->p->candidates[i];
        if (k + 1 < end) fetch(g->p, g->p->candidates[g->batch[k + 1]]);
        const double gain = scp_score_with(g->p, g->best, row) - g->covered;
        g->worth[i] = worth_of(g, i, gain);
        g->useless[i] = gain == 0 && adds_nothing(g, row);
    }
    return SCP_OK;
}

static enum scp_status evaluate(struct greedy *g, const uint32_t *rows, size_t count) {
    g->batch = rows;
    g->n_batch = count;
    g->per_task = CELLS / g->p->in.q + 1;
    return scp_parallel((count + g->per_task - 1) / g->per_task, evaluate_task, g, g->control);
}

/* On a device all rows cost less than one evaluation each. */
static enum scp_status evaluate_all(struct greedy *g) {
    const struct scp_select *p = g->p;
    if (!p->device) return evaluate(g, g->old.rows, g->old.count);
    double *scores = scp_alloc(p->n_candidates, sizeof *scores);
    if (!scores) return SCP_ENOMEM;
    const enum scp_status status =
        p->cuda->score_rows(p->device, scores, g->best, p->candidates, p->n_candidates);
    for (size_t k = 0; status == SCP_OK && k < g->old.count; k++) {
        const uint32_t i = g->old.rows[k];
        g->worth[i] = worth_of(g, i, scores[i] - g->covered);
    }
    scp_free(scores);
    return status;
}

/* Evaluates all old rows. */
static enum scp_status renew(struct greedy *g) {
    const enum scp_status status = evaluate_all(g);
    while (g->old.count > 0) {
        const uint32_t i = g->old.rows[--g->old.count];
        scp_heap_push(g->useless[i] ? &g->idle : &g->now, i);
    }
    return status;
}

/* A round begins: what was evaluated in the last one is old. On a device, and in the first round,
 * all rows are evaluated. */
static enum scp_status start_round(struct greedy *g, int first) {
    if (g->now.count > g->old.count) {
        const struct scp_heap now = g->now;
        g->now = g->old;
        g->old = now;
    }
    while (g->now.count > 0) scp_heap_push(&g->old, g->now.rows[--g->now.count]);
    return first || g->p->device ? renew(g) : SCP_OK;
}

/* Where the best row of this round is that is known; it may be empty. */
static struct scp_heap *leading(struct greedy *g) {
    if (g->idle.count == 0 || g->now.count == 0) return g->now.count ? &g->now : &g->idle;
    return scp_heap_before(&g->now, g->now.rows[0], g->idle.rows[0]) ? &g->now : &g->idle;
}

/* Whether the first of the old rows could still be the best of this round. */
static int may_lead(struct greedy *g) {
    const struct scp_heap *known = leading(g);
    if (g->old.count == 0 || known->count == 0) return g->old.count > 0;
    const uint32_t i = g->old.rows[0];
    double slack = 4 * g->p->score_error; /* two scores of either gain */
    if (g->by_ratio && g->p->in.costs[g->p->candidates[i]] > 0)
        slack /= g->p->in.costs[g->p->candidates[i]];
    return g->worth[i] + slack >= g->worth[known->rows[0]];
}

/* Evaluates the old rows that may lead: a few at first, since each can rule out all others; once
 * they are many, all, which costs less than to find them one by one. */
static enum scp_status update(struct greedy *g) {
    uint32_t batch[BATCH];
    size_t done = 0;
    for (size_t limit = 1; may_lead(g); limit = limit < BATCH ? 2 * limit : BATCH) {
        size_t size = 0;
        if (scp_poll(g->control, g->count, g->goal) != SCP_OK) return SCP_EINTERRUPTED;
        if (done > BATCH && done > g->old.count / 4) return renew(g);
        while (size < limit && may_lead(g)) { /* what the rules forbid is out for good */
            const uint32_t i = scp_heap_pop(&g->old);
            if (scp_rules_allow(g->p, g->set, g->count, g->p->candidates[i])) batch[size++] = i;
        }
        const enum scp_status status = evaluate(g, batch, size);
        if (status != SCP_OK) return status;
        done += size;
        for (size_t k = 0; k < size; k++)
            scp_heap_push(g->useless[batch[k]] ? &g->idle : &g->now, batch[k]);
    }
    return SCP_OK;
}

/* Whether the row may be picked now and m rows can still be reached; updates the fallback. -1: the
 * caller asks to stop. */
static int possible(struct greedy *g, uint32_t row) {
    const struct scp_select *p = g->p;
    if (!scp_rules_allow(p, g->set, g->count, row)) return 0;
    if (g->m == SCP_SELECT_ANY || scp_rules_trivial(p)) return 1; /* INCLUDE rows are in already */
    memcpy(g->trial, g->set, g->count * sizeof *g->set);
    g->trial[g->count] = row;
    const int answer = scp_rules_complete(p, g->trial, g->count + 1, g->m, g->scratch, g->control);
    if (answer != 1) return answer == SCP_RULES_STOPPED ? -1 : 0;
    memcpy(g->fallback, g->trial, g->m * sizeof *g->set);
    return 1;
}

static void add(struct greedy *g, uint32_t row) {
    const struct scp_select_input *in = &g->p->in;
    g->set[g->count++] = row;
    scp_kernels()->coverage.best(g->best, in->values + row * in->q, in->q);
    g->covered =
        scp_kernels()->coverage.score(in->weights, g->best, in->values, in->q, NULL, 0, in->q);
}

/* Adds the best row that is possible. *full: there is none. */
static enum scp_status pick(struct greedy *g, int *full) {
    *full = 0;
    for (;;) {
        const enum scp_status status = update(g);
        if (status != SCP_OK) return status;
        if (scp_poll(g->control, g->count, g->goal) != SCP_OK) return SCP_EINTERRUPTED;
        if (leading(g)->count == 0) return *full = 1, SCP_OK;
        const uint32_t row = g->p->candidates[scp_heap_pop(leading(g))];
        const int answer = possible(g, row);
        if (answer == 0) continue;
        if (answer < 0) return SCP_EINTERRUPTED;
        add(g, row);
        return SCP_OK;
    }
}

static enum scp_status grow(struct greedy *g, uint32_t *set, size_t *count) {
    const struct scp_select *p = g->p;
    const int any = g->m == SCP_SELECT_ANY;
    g->set = set;
    memcpy(g->best, p->base, p->in.q * sizeof(float));
    g->covered = scp_kernels()->coverage.score(p->in.weights, p->base, p->in.values, p->in.q, NULL,
                                               0, p->in.q);
    g->count = g->old.count = g->now.count = g->idle.count = 0;
    for (size_t k = 0; k < p->n_included; k++) add(g, p->included[k]);
    for (uint32_t i = 0; i < p->n_candidates; i++)
        if (p->in.roles[p->candidates[i]] == SCP_FREE) g->old.rows[g->old.count++] = i;
    int full = 0;
    for (int first = 1; !full && g->count < g->m; first = 0) {
        enum scp_status status = start_round(g, first);
        if (status == SCP_OK) status = pick(g, &full);
        if (status != SCP_OK) return status;
    }
    if (!any && full) { /* no pick could be proven completable: take the completion already known */
        memcpy(set, g->fallback, g->m * sizeof *set);
        g->count = g->m;
    }
    *count = g->count;
    return SCP_OK;
}

static int prepare(struct greedy *g) {
    const size_t n = g->p->in.n;
    g->old.key = g->now.key = g->idle.key = g->worth = scp_alloc(n, sizeof *g->worth);
    g->useless = scp_calloc(n, sizeof *g->useless);
    g->idle.rows = scp_alloc(n, sizeof *g->idle.rows);
    g->old.rows = scp_alloc(n, sizeof *g->old.rows);
    g->now.rows = scp_alloc(n, sizeof *g->now.rows);
    g->best = scp_alloc(g->p->in.q, sizeof *g->best);
    g->fallback = scp_alloc(n, sizeof *g->fallback);
    g->trial = scp_alloc(n, sizeof *g->trial);
    g->scratch = scp_alloc(scp_rules_scratch(g->p), 1);
    return g->worth && g->useless && g->idle.rows && g->old.rows && g->now.rows && g->best &&
           g->fallback && g->trial && g->scratch;
}

static void release(struct greedy *g) {
    scp_free(g->worth);
    scp_free(g->useless);
    scp_free(g->idle.rows);
    scp_free(g->old.rows);
    scp_free(g->now.rows);
    scp_free(g->best);
    scp_free(g->fallback);
    scp_free(g->trial);
    scp_free(g->scratch);
}

/* By gain; with a budget also by gain per cost, into other[]. */
static enum scp_status grow_both(struct greedy *g, uint32_t *set, size_t *count, uint32_t *other) {
    const struct scp_select *p = g->p;
    const size_t need = g->m == SCP_SELECT_ANY ? p->n_included : g->m;
    size_t n_other = 0;
    for (g->by_ratio = 0; g->by_ratio <= (p->in.costs != NULL); g->by_ratio++) {
        const int answer = scp_rules_complete(p, g->fallback, 0, need, g->scratch, g->control);
        if (answer != 1) return answer == SCP_RULES_STOPPED ? SCP_EINTERRUPTED : SCP_EINFEASIBLE;
        const enum scp_status status = g->by_ratio ? grow(g, other, &n_other) : grow(g, set, count);
        if (status != SCP_OK) return status;
    }
    if (!p->in.costs || scp_select_score(p, other, n_other) <= scp_select_score(p, set, *count))
        return SCP_OK;
    memcpy(set, other, n_other * sizeof *set);
    *count = n_other;
    return SCP_OK;
}

enum scp_status scp_select_greedy(uint32_t *set, size_t *count, const struct scp_select *p,
                                  size_t m, const struct scp_control *control) {
    const int any = m == SCP_SELECT_ANY;
    struct greedy g = {.p = p, .control = control, .m = m, .goal = any ? p->n_candidates : m};
    if ((any ? p->n_included : m) > p->n_candidates || (any && !p->in.costs))
        return SCP_EINFEASIBLE;
    uint32_t *other = scp_alloc(p->in.n, sizeof *other);
    const enum scp_status status =
        other && prepare(&g) ? grow_both(&g, set, count, other) : SCP_ENOMEM;
    release(&g);
    scp_free(other);
    return status;
}
