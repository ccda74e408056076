/* Proof of Eq. 10 by enumeration. The Lagrangian bound splits by rows: score(S) <= sum + sum of rho
 * over S (bound.c), so with rows by falling rho the sets that may reach a score are found without
 * looking at any client; only those are scored. On a device millions of them take milliseconds. */
#include "bound.h"
#include "heap.h"
#include "rules.h"
#include "score.h"

#include <string.h>

#include "scp/alloc.h"

#define ROOM ((size_t)1 << 18) /* sets that a device returns at once */
#define MAX_ROWS 5

struct enumeration {
    const struct scp_select *p;
    const double *rho; /* [n], falling */
    const uint32_t *rows;
    size_t n, m, max_sets, scored;
    double min_sum, best; /* what rho must sum up to; the best score */
    uint32_t best_set[MAX_ROWS];
    const struct scp_control *control;
};

/* Takes a set if it is better, or as good and lexicographically smaller. */
static void update_best(struct enumeration *e, const uint32_t *rows, double score) {
    uint32_t sorted[MAX_ROWS];
    memcpy(sorted, rows, e->m * sizeof *sorted);
    scp_sort_set(sorted, e->m);
    if (!scp_score_better(score, sorted, e->m, e->best, e->best_set, e->m)) return;
    e->best = score;
    memcpy(e->best_set, sorted, e->m * sizeof *sorted);
}

/* All sets that start with set[0 .. k-1], whose rho add up to sum, and go on from row `from`.
 * Float addition is monotone: a loop may end where the best continuation fails. */
static enum scp_status extend(struct enumeration *e, uint32_t *set, size_t k, size_t from,
                              double sum) {
    if (k == e->m) {
        if (e->scored++ >= e->max_sets) return SCP_OK;
        if (e->scored % 1024 == 0 && scp_poll(e->control, e->scored, e->max_sets) != SCP_OK)
            return SCP_EINTERRUPTED;
        update_best(e, set, scp_select_score(e->p, set, e->m));
        return SCP_OK;
    }
    for (size_t i = from; i + (e->m - k) <= e->n && e->scored <= e->max_sets; i++) {
        double bound = sum;
        for (size_t j = 0; j < e->m - k; j++) bound += e->rho[i + j];
        if (!(bound >= e->min_sum)) break;
        set[k] = e->rows[i];
        const enum scp_status status = extend(e, set, k + 1, i + 1, sum + e->rho[i]);
        if (status != SCP_OK) return status;
    }
    return SCP_OK;
}

static enum scp_status on_device(struct enumeration *e) {
    const struct scp_select *p = e->p;
    size_t cells, pair = 0, found = 0;
    enum scp_status status = SCP_ENOMEM;
    const struct scp_cuda_enumeration range = {e->rows, e->rho, e->n, e->m, e->min_sum, ROOM};
    if (scp_size_mul(ROOM, e->m, &cells)) return SCP_ENOMEM;
    uint32_t *sets = scp_alloc(cells, sizeof *sets);
    double *scores = scp_alloc(ROOM, sizeof *scores);
    if (!sets || !scores) goto out;
    while (pair < e->n * e->n) {
        status = scp_poll(e->control, pair, e->n * e->n);
        if (status == SCP_OK)
            status = p->cuda->enumerate(p->device, sets, scores, &found, &pair, &range);
        if (status != SCP_OK) break;
        for (size_t i = 0; i < found; i++) update_best(e, sets + i * e->m, scores[i]);
        e->scored += found;
        if (e->scored > e->max_sets) break;
    }
    if (status == SCP_ENOMEM && e->n > 0) { /* one pair has more sets than fit: too many by far */
        e->scored = e->max_sets + 1;
        status = SCP_OK;
    }
out:
    scp_free(sets);
    scp_free(scores);
    return status;
}

enum scp_status scp_select_enumerate(uint32_t *set, size_t *count, struct scp_select_proof *proof,
                                     const struct scp_select *p, size_t m, const float *lambda,
                                     size_t max_sets, const struct scp_control *control) {
    const size_t n = p->n_open;
    if (!scp_rules_trivial(p) || p->n_included || p->n_initial || m < 2 || m > MAX_ROWS || m > n ||
        *count != m)
        return SCP_EUNSUPPORTED;
    double *rho = scp_alloc(n, sizeof *rho), *sorted = scp_alloc(n, sizeof *sorted);
    uint32_t *rows = scp_alloc(n, sizeof *rows);
    double sum, error;
    enum scp_status status = SCP_ENOMEM;
    if (!rho || !sorted || !rows) goto out;
    status = scp_exact_excess(rho, &sum, &error, p, lambda, control);
    if (status != SCP_OK) goto out;
    scp_sort_keys(rows, n, rho, n);
    for (size_t i = 0; i < n; i++) {
        sorted[i] = rho[rows[i]];
        rows[i] = p->open[rows[i]];
    }
    struct enumeration e = {.p = p,
                            .rho = sorted,
                            .rows = rows,
                            .n = n,
                            .m = m,
                            .max_sets = max_sets,
                            .best = scp_select_score(p, set, m),
                            .control = control};
    memcpy(e.best_set, set, m * sizeof *set);
    scp_sort_set(e.best_set, m);
    e.min_sum = e.best - sum - error;
    uint32_t trial[MAX_ROWS];
    status = p->device ? on_device(&e) : extend(&e, trial, 0, 0, 0);
    if (status != SCP_OK) goto out;
    memcpy(set, e.best_set, m * sizeof *set);
    double top = sum + error;
    for (size_t i = 0; i < m; i++) top += sorted[i];
    proof->proven = e.scored <= max_sets;
    proof->score = e.best;
    proof->bound = proof->proven ? e.best : top;
    proof->nodes = e.scored;
out:
    scp_free(rho);
    scp_free(sorted);
    scp_free(rows);
    return status;
}
