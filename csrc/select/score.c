/* Eq. 9: the score of a set, in the one order of summation that scp/select.h states; and what each
 * row of a set adds to it. The maximum over a set's rows is that over templates in Eq. 8. */
#include "score.h"

#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

double scp_select_score(const struct scp_select *p, const uint32_t *set, size_t count) {
    if (count == 0 && p->n_initial == 0) return 0;
    return scp_kernels()->coverage.score(p->in.weights, p->base, p->in.values, p->in.q, set, count,
                                         p->in.q);
}

double scp_score_with(const struct scp_select *p, const float *best, uint32_t c) {
    return scp_kernels()->coverage.score(p->in.weights, best, p->in.values, p->in.q, &c, 1,
                                         p->in.q);
}

void scp_sort_set(uint32_t *set, size_t count) {
    for (size_t i = 1; i < count; i++) {
        const uint32_t row = set[i];
        size_t at = i;
        for (; at > 0 && set[at - 1] > row; at--) set[at] = set[at - 1];
        set[at] = row;
    }
}

int scp_score_better(double score_a, const uint32_t *a, size_t count_a, double score_b,
                     const uint32_t *b, size_t count_b) {
    if (score_a != score_b) return score_a > score_b;
    for (size_t i = 0; i < count_a && i < count_b; i++)
        if (a[i] != b[i]) return a[i] < b[i];
    return count_a < count_b;
}

/* Moves the row that adds most to position k; best[] covers set[0 .. k-1]. */
static double pick_next(const struct scp_select *p, uint32_t *set, size_t count, size_t k,
                        const float *best) {
    double top = 0;
    size_t at = k;
    for (size_t i = k; i < count; i++) {
        const double score = scp_score_with(p, best, set[i]);
        if (i > k && (score < top || (score == top && set[i] > set[at]))) continue;
        top = score;
        at = i;
    }
    const uint32_t row = set[at];
    set[at] = set[k];
    set[k] = row;
    return top;
}

enum scp_status scp_select_explain(double *score, double *gains, int64_t *cover, float *cover_value,
                                   uint32_t *set, size_t count, const struct scp_select *p) {
    const struct scp_select_input *in = &p->in;
    float *best = scp_alloc(in->q, sizeof *best);
    if (!best) return SCP_ENOMEM;
    memcpy(best, p->base, in->q * sizeof *best);
    double before = scp_select_score(p, NULL, 0);
    for (size_t k = 0; k < count; k++) {
        const double after = pick_next(p, set, count, k, best);
        gains[k] = after - before;
        before = after;
        scp_kernels()->coverage.best(best, in->values + set[k] * in->q, in->q);
    }
    *score = scp_select_score(p, set, count);
    const int empty = p->n_initial + count == 0;
    for (size_t q = 0; q < in->q; q++) cover[q] = -1, cover_value[q] = empty ? 0 : best[q];
    for (size_t k = 0; k < p->n_initial + count; k++) {
        const uint32_t t = k < p->n_initial ? p->initial[k] : set[k - p->n_initial];
        const float *row = in->values + t * in->q;
        for (size_t q = 0; q < in->q; q++)
            if (cover[q] < 0 && row[q] == best[q]) cover[q] = t;
    }
    scp_free(best);
    return SCP_OK;
}
