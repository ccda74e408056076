/* What one more row would add to a set: Eq. 9 of the set and each row that may join it. */
#include "rules.h"
#include "score.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

#define CELLS 32768 /* of the matrix, per task */

struct next {
    const struct scp_select *p;
    const float *best; /* [q] cover of the set */
    uint32_t *rows;    /* [count] that may join */
    double *scores;    /* [count] with each */
    size_t count, per_task;
};

static enum scp_status score_task(void *context, size_t task, size_t worker) {
    const struct next *a = context;
    const size_t at = task * a->per_task, left = a->count - at;
    (void)worker;
    for (size_t k = at; k < at + (left < a->per_task ? left : a->per_task); k++)
        a->scores[k] = scp_score_with(a->p, a->best, a->rows[k]);
    return SCP_OK;
}

static enum scp_status largest(double *gain, struct next *a, double covered,
                               const struct scp_control *control) {
    a->per_task = CELLS / a->p->in.q + 1;
    const enum scp_status status =
        scp_parallel((a->count + a->per_task - 1) / a->per_task, score_task, a, control);
    for (size_t k = 0; status == SCP_OK && k < a->count; k++)
        if (!(*gain >= a->scores[k] - covered)) *gain = a->scores[k] - covered;
    return status;
}

enum scp_status scp_select_next(double *gain, const struct scp_select *p, const uint32_t *set,
                                size_t count, const struct scp_control *control) {
    const size_t q = p->in.q;
    float *best = scp_alloc(q, sizeof *best);
    struct next a = {.p = p, .best = best};
    a.rows = scp_alloc(p->in.n, sizeof *a.rows);
    a.scores = scp_alloc(p->in.n, sizeof *a.scores);
    enum scp_status status = best && a.rows && a.scores ? SCP_OK : SCP_ENOMEM;
    *gain = NAN;
    if (status == SCP_OK) {
        memcpy(best, p->base, q * sizeof *best);
        for (size_t k = 0; k < count; k++)
            scp_kernels()->coverage.best(best, p->in.values + set[k] * q, q);
        for (uint32_t c = 0; c < p->in.n; c++)
            if (scp_rules_allow(p, set, count, c)) a.rows[a.count++] = c;
        status = largest(gain, &a, scp_select_score(p, set, count), control);
    }
    scp_free(best);
    scp_free(a.rows);
    scp_free(a.scores);
    return status;
}
