#include "steps.h"

#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

enum scp_status scp_steps_create(struct scp_steps *s, const struct scp_select *p) {
    const size_t n = p->in.n + 1, q = p->in.q;
    s->p = p;
    s->lambda = scp_alloc(q, sizeof *s->lambda);
    s->direction = scp_calloc(q, sizeof *s->direction);
    s->count = scp_alloc(q, sizeof *s->count);
    s->profit = scp_alloc(n, sizeof *s->profit);
    s->chosen = scp_alloc(n, sizeof *s->chosen);
    s->order = scp_alloc(n, sizeof *s->order);
    s->used = scp_alloc(n, sizeof *s->used);
    const int ok =
        s->lambda && s->direction && s->count && s->profit && s->chosen && s->order && s->used;
    return ok ? SCP_OK : SCP_ENOMEM;
}

void scp_steps_free(struct scp_steps *s) {
    scp_free(s->lambda);
    scp_free(s->direction);
    scp_free(s->count);
    scp_free(s->profit);
    scp_free(s->chosen);
    scp_free(s->order);
    scp_free(s->used);
    memset(s, 0, sizeof *s);
}

double scp_steps_sum(const struct scp_steps *s) {
    return scp_kernels()->coverage.sum(s->lambda, s->p->in.q);
}

void scp_steps_reset(struct scp_steps *s) {
    memset(s->direction, 0, s->p->in.q * sizeof *s->direction);
}

int scp_steps_move(struct scp_steps *s, const float *floor, const uint32_t *active, size_t n_chosen,
                   double gap) {
    const struct scp_kernels *kernels = scp_kernels();
    const size_t q = s->p->in.q;
    memset(s->count, 0, q * sizeof *s->count);
    for (size_t i = 0; i < n_chosen; i++)
        kernels->coverage.count(s->count, s->p->screen + active[s->chosen[i]] * q, s->lambda, q);
    const double norm =
        kernels->coverage.direct(s->direction, s->count, s->lambda, floor, SCP_STEP_MEMORY, q);
    if (!(norm > 0)) return 1;
    kernels->coverage.step(s->lambda, s->direction, floor, (float)(gap / norm), q);
    return 0;
}

void scp_excess(double *rho, const struct scp_select *p, const uint32_t *rows, size_t count,
                const float *lambda) {
    const size_t q = p->in.q;
    double last[4];
    for (size_t i = 0; i < count; i += 4) {
        const float *row[4];
        for (size_t k = 0; k < 4; k++) /* the last block repeats its last row */
            row[k] = p->screen + rows[i + k < count ? i + k : count - 1] * q;
        scp_kernels()->coverage.excess4(last, row[0], row[1], row[2], row[3], lambda, q);
        for (size_t k = 0; k < 4 && i + k < count; k++) rho[i + k] = last[k];
    }
}
