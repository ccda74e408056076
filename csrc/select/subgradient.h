/* The projected subgradient method on the multipliers, shared by the root bound and the nodes of
 * branch and bound. */
#ifndef SCP_SELECT_SUBGRADIENT_H
#define SCP_SELECT_SUBGRADIENT_H

#include "problem.h"
#include "relax.h"

#define SCP_SUBGRADIENT_FIRST 1.0   /* Polyak factor at the start */
#define SCP_SUBGRADIENT_LAST 1e-3   /* and where to stop */
#define SCP_SUBGRADIENT_PATIENCE 8  /* iterations without progress before it is halved */
#define SCP_SUBGRADIENT_MEMORY 0.5f /* weight of the previous direction */

struct scp_subgradient {
    const struct scp_select *p;
    float *lambda;          /* [q] the multipliers */
    float *direction;       /* [q] smoothed subgradient */
    float *count;           /* [q] scratch: chosen rows whose value exceeds lambda */
    float length;           /* of the last move */
    struct scp_relax relax; /* the relaxed problem at lambda */
};

enum scp_status scp_subgradient_create(struct scp_subgradient *s, const struct scp_select *p);
void scp_subgradient_free(struct scp_subgradient *s); /* legal on a zeroed or half-made one */

/* sum_q lambda[q] in float64, q ascending in 8 lanes. */
double scp_subgradient_sum(const struct scp_subgradient *s);

/* Forgets the previous direction. */
void scp_subgradient_reset(struct scp_subgradient *s);

/* Moves lambda by gap / |direction|^2 against the subgradient 1 - (rows active[chosen[i]] of the
 * relaxed answer above lambda), keeping lambda >= floor. Non-zero: the subgradient is zero
 * (optimal). */
int scp_subgradient_move(struct scp_subgradient *s, const float *floor, const uint32_t *active,
                         double gap);

/* rho[i] = sum_q max(screen[rows[i]][q] - lambda[q], 0), relative error below SCP_EXCESS_ERROR. */
#define SCP_EXCESS_ERROR (40 * 0x1p-24)
void scp_excess(double *rho, const struct scp_select *p, const uint32_t *rows, size_t count,
                const float *lambda);

#endif
