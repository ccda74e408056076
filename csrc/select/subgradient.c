/* Projected subgradient iterations (Held, Wolfe, Crowder 1974) with a smoothed direction, on the
 * float32 screen. */
#include "subgradient.h"

#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

enum scp_status scp_subgradient_create(struct scp_subgradient *s, const struct scp_select *p) {
    const size_t q = p->in.q;
    s->p = p;
    s->lambda = scp_alloc(q, sizeof *s->lambda);
    s->direction = scp_calloc(q, sizeof *s->direction);
    s->count = scp_alloc(q, sizeof *s->count);
    const enum scp_status status = scp_relax_create(&s->relax, p);
    return s->lambda && s->direction && s->count ? status : SCP_ENOMEM;
}

void scp_subgradient_free(struct scp_subgradient *s) {
    scp_free(s->lambda);
    scp_free(s->direction);
    scp_free(s->count);
    scp_relax_free(&s->relax);
    memset(s, 0, sizeof *s);
}

double scp_subgradient_sum(const struct scp_subgradient *s) {
    return scp_kernels()->coverage.sum(s->lambda, s->p->in.q);
}

void scp_subgradient_reset(struct scp_subgradient *s) {
    memset(s->direction, 0, s->p->in.q * sizeof *s->direction);
}

int scp_subgradient_move(struct scp_subgradient *s, const float *floor, const uint32_t *active,
                         double gap) {
    const struct scp_kernels *kernels = scp_kernels();
    const size_t q = s->p->in.q;
    memset(s->count, 0, q * sizeof *s->count);
    for (size_t i = 0; i < s->relax.count; i++)
        kernels->coverage.count(s->count, s->p->screen + active[s->relax.chosen[i]] * q, s->lambda,
                                q);
    const double norm = kernels->coverage.direct(s->direction, s->count, s->lambda, floor,
                                                 SCP_SUBGRADIENT_MEMORY, q);
    s->length = norm > 0 ? (float)(gap / norm) : 0;
    if (!(norm > 0)) return 1;
    kernels->coverage.step(s->lambda, s->direction, floor, s->length, q);
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
