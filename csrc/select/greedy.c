/* Lazy greedy for Eq. 10 (Minoux 1978): gains never grow as the set grows, so an old gain is a
 * bound and only rows whose bound reaches the best score of this round are evaluated again. */
#include "rules.h"
#include "score.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

struct greedy {
    const struct scp_select *p;
    double *bound;      /* [n_candidates] bound on the gain; -infinity: cannot join any more */
    size_t *tested;     /* [n_candidates] the round of the last evaluation */
    float *best;        /* [q] cover of the set */
    uint32_t *fallback; /* [n] a completion known to be feasible */
    uint32_t *trial;    /* [n] */
    void *scratch;
    double covered; /* score of the set, from base when it is empty */
    int by_ratio;
};

static enum scp_status first_gain(void *context, size_t i, size_t worker) {
    struct greedy *g = context;
    (void)worker;
    g->bound[i] = scp_score_with(g->p, g->best, g->p->candidates[i]) - g->covered;
    return SCP_OK;
}

/* On a device all gains cost less than one evaluation each: they are made afresh in every round. */
static enum scp_status all_gains(struct greedy *g, size_t round) {
    const struct scp_select *p = g->p;
    double *scores = scp_alloc(p->n_candidates, sizeof *scores);
    if (!scores) return SCP_ENOMEM;
    const enum scp_status status =
        p->cuda->score_rows(p->device, scores, g->best, p->candidates, p->n_candidates);
    for (size_t i = 0; status == SCP_OK && i < p->n_candidates; i++) {
        if (round > 0 && g->bound[i] == -INFINITY) continue;
        g->bound[i] = scores[i] - g->covered;
        g->tested[i] = round;
    }
    scp_free(scores);
    return status;
}

/* What a round compares: the gain, or the gain per cost. */
static double worth(const struct greedy *g, size_t i) {
    if (!g->by_ratio) return g->bound[i];
    const double cost = g->p->in.costs[g->p->candidates[i]];
    if (g->bound[i] <= 0) return g->bound[i];
    return cost > 0 ? g->bound[i] / cost : INFINITY;
}

/* The candidate with the largest worth among those (not) tested in this round; ties to the lowest.
 * n_candidates when there is none. */
static size_t best_candidate(const struct greedy *g, size_t round, int tested) {
    size_t at = g->p->n_candidates;
    double max_worth = -INFINITY;
    for (size_t i = 0; i < g->p->n_candidates; i++) {
        if (g->bound[i] == -INFINITY || (g->tested[i] == round) != tested) continue;
        const double w = worth(g, i);
        if (at == g->p->n_candidates || w > max_worth) at = i, max_worth = w;
    }
    return at;
}

/* Whether candidate i may be picked now and m rows can still be reached; updates the fallback. */
static int possible(struct greedy *g, const uint32_t *set, size_t count, size_t m, size_t i) {
    const uint32_t row = g->p->candidates[i];
    if (!scp_rules_allow(g->p, set, count, row)) return 0;
    if (scp_rules_trivial(g->p) && g->p->n_included == 0) return 1;
    memcpy(g->trial, set, count * sizeof *set);
    g->trial[count] = row;
    const size_t target = m == SCP_SELECT_ANY ? count + 1 + g->p->n_included : m;
    if (m == SCP_SELECT_ANY) return 1; /* the INCLUDE rows are in already */
    if (scp_rules_complete(g->p, g->trial, count + 1, target, g->scratch) != 1) return 0;
    memcpy(g->fallback, g->trial, m * sizeof *set);
    return 1;
}

/* The next pick as a position in candidates, or n_candidates. */
static size_t next_pick(struct greedy *g, const uint32_t *set, size_t count, size_t m,
                        size_t round) {
    const size_t none = g->p->n_candidates;
    const double margin = 4 * g->p->score_error; /* two scores of either gain */
    for (;;) {
        const size_t done = best_candidate(g, round, 1), open = best_candidate(g, round, 0);
        double slack = margin;
        if (g->by_ratio && open != none && g->p->in.costs[g->p->candidates[open]] > 0)
            slack /= g->p->in.costs[g->p->candidates[open]];
        if (open != none && (done == none || worth(g, open) + slack >= worth(g, done))) {
            if (!scp_rules_allow(g->p, set, count, g->p->candidates[open])) {
                g->bound[open] = -INFINITY; /* for good: rules only tighten */
                continue;
            }
            g->bound[open] = scp_score_with(g->p, g->best, g->p->candidates[open]) - g->covered;
            g->tested[open] = round;
            continue;
        }
        if (done == none) return none;
        if (possible(g, set, count, m, done)) return done;
        g->bound[done] = -INFINITY;
    }
}

static void add(struct greedy *g, uint32_t *set, size_t *count, uint32_t row) {
    const struct scp_select_input *in = &g->p->in;
    set[(*count)++] = row;
    scp_kernels()->coverage.best(g->best, in->values + row * in->q, in->q);
    g->covered =
        scp_kernels()->coverage.score(in->weights, g->best, in->values, in->q, NULL, 0, in->q);
    for (size_t i = 0; i < g->p->n_candidates; i++)
        if (g->p->candidates[i] == row) g->bound[i] = -INFINITY;
}

static enum scp_status grow(struct greedy *g, uint32_t *set, size_t *count, size_t m,
                            const struct scp_control *control) {
    const struct scp_select *p = g->p;
    memcpy(g->best, p->base, p->in.q * sizeof(float));
    g->covered = scp_kernels()->coverage.score(p->in.weights, p->base, p->in.values, p->in.q, NULL,
                                               0, p->in.q);
    *count = 0;
    for (size_t k = 0; k < p->n_included; k++) add(g, set, count, p->included[k]);
    enum scp_status status =
        p->device ? all_gains(g, 0) : scp_parallel(p->n_candidates, first_gain, g, control);
    if (status != SCP_OK) return status;
    for (size_t k = 0; k < p->n_included; k++)
        for (size_t i = 0; i < p->n_candidates; i++)
            if (p->candidates[i] == p->included[k]) g->bound[i] = -INFINITY;
    for (size_t i = 0; i < p->n_candidates; i++) g->tested[i] = 0;
    for (size_t round = 0; m == SCP_SELECT_ANY || *count < m; round++) {
        if (scp_poll(control, *count, m == SCP_SELECT_ANY ? p->n_candidates : m) != SCP_OK)
            return SCP_EINTERRUPTED;
        if (p->device && round > 0) status = all_gains(g, round);
        if (status != SCP_OK) return status;
        const size_t pick = next_pick(g, set, *count, m, round);
        if (pick != p->n_candidates) {
            add(g, set, count, p->candidates[pick]);
        } else if (m == SCP_SELECT_ANY) {
            break;
        } else { /* no pick could be proven completable: take the completion already known */
            memcpy(set, g->fallback, m * sizeof *set);
            *count = m;
        }
    }
    return SCP_OK;
}

enum scp_status scp_select_greedy(uint32_t *set, size_t *count, const struct scp_select *p,
                                  size_t m, const struct scp_control *control) {
    enum scp_status status = SCP_ENOMEM;
    const size_t n = p->in.n;
    struct greedy g = {.p = p};
    uint32_t *other = scp_alloc(n, sizeof *other);
    g.bound = scp_alloc(p->n_candidates, sizeof *g.bound);
    g.tested = scp_alloc(p->n_candidates, sizeof *g.tested);
    g.best = scp_alloc(p->in.q, sizeof *g.best);
    g.fallback = scp_alloc(n, sizeof *g.fallback);
    g.trial = scp_alloc(n, sizeof *g.trial);
    g.scratch = scp_alloc(scp_rules_scratch(p), 1);
    if (!other || !g.bound || !g.tested || !g.best || !g.fallback || !g.trial || !g.scratch)
        goto out;
    status = SCP_EINFEASIBLE;
    const size_t need = m == SCP_SELECT_ANY ? p->n_included : m;
    if (need > p->n_candidates || (m == SCP_SELECT_ANY && !p->in.costs)) goto out;
    if (scp_rules_complete(p, g.fallback, 0, need, g.scratch) != 1) goto out;
    status = grow(&g, set, count, m, control);
    if (status != SCP_OK || !p->in.costs) goto out;
    size_t n_other;
    g.by_ratio = 1;
    if (m != SCP_SELECT_ANY) scp_rules_complete(p, g.fallback, 0, need, g.scratch);
    status = grow(&g, other, &n_other, m, control);
    if (status != SCP_OK) goto out;
    if (scp_select_score(p, other, n_other) > scp_select_score(p, set, *count)) {
        memcpy(set, other, n_other * sizeof *set);
        *count = n_other;
    }
out:
    scp_free(other);
    scp_free(g.bound);
    scp_free(g.tested);
    scp_free(g.best);
    scp_free(g.fallback);
    scp_free(g.trial);
    scp_free(g.scratch);
    return status;
}
