/* One subgradient method, shared by the root bound and the nodes of branch and bound. */
#ifndef SCP_SELECT_STEPS_H
#define SCP_SELECT_STEPS_H

#include "problem.h"

#define SCP_STEP_FIRST 1.0   /* Polyak factor at the start */
#define SCP_STEP_LAST 1e-3   /* and where to stop */
#define SCP_STEP_PATIENCE 8  /* steps without progress before it is halved */
#define SCP_STEP_MEMORY 0.5f /* weight of the previous direction */

struct scp_steps {
    const struct scp_select *p;
    float *lambda;    /* [q] */
    float *direction; /* [q] smoothed subgradient */
    float *count;     /* [q] scratch: chosen rows whose value exceeds lambda */
    double *profit;   /* [n] for scp_relax_solve, with the three below */
    uint32_t *chosen, *order, *used;
};

enum scp_status scp_steps_create(struct scp_steps *s, const struct scp_select *p);
void scp_steps_free(struct scp_steps *s); /* legal on a zeroed or half-made one */

/* sum_q lambda[q] in float64, q ascending in 8 lanes. */
double scp_steps_sum(const struct scp_steps *s);

/* Starts a new direction. */
void scp_steps_reset(struct scp_steps *s);

/* One step of length gap / |direction|^2 against the subgradient 1 - (rows active[chosen[i]], i <
 * n_chosen, above lambda), keeping lambda >= floor. Non-zero: the subgradient is zero (optimal). */
int scp_steps_move(struct scp_steps *s, const float *floor, const uint32_t *active, size_t n_chosen,
                   double gap);

/* rho[i] = sum_q max(screen[rows[i]][q] - lambda[q], 0), relative error below SCP_EXCESS_ERROR. */
#define SCP_EXCESS_ERROR (40 * 0x1p-24)
void scp_excess(double *rho, const struct scp_select *p, const uint32_t *rows, size_t count,
                const float *lambda);

#endif
