/* The relaxed problem over rows (relax.c). */
#ifndef SCP_SELECT_RELAX_H
#define SCP_SELECT_RELAX_H

#include "problem.h"

/* The largest sum of rho over at most r rows of active[count] under group quotas, where
 * taken[n_taken] is in the set already; relaxed by a multiplier on the budget, distances ignored.
 */
struct scp_relax_problem {
    const struct scp_select *p;
    const double *rho; /* rho[i] belongs to row active[i] */
    const uint32_t *active, *taken;
    size_t count, n_taken;
    size_t r; /* SIZE_MAX: any number */
};

struct scp_relax {
    double value;     /* upper bound of the sum */
    double mu;        /* budget multiplier used: reduced profit of row c is rho[c] - mu * cost[c] */
    double last;      /* smallest reduced profit chosen when r rows were chosen, else 0 */
    double next;      /* largest reduced profit not chosen (no groups), -infinity if none */
    size_t count;     /* rows chosen */
    uint32_t *chosen; /* [count]: positions in active, by falling reduced profit */
    double *profit;   /* [problem.count]: the reduced profits */
    uint32_t *order;  /* scratch, [problem.count] */
    uint32_t *used;   /* scratch, [n] */
};

/* Room for problems of up to n rows each. SCP_ENOMEM. */
enum scp_status scp_relax_create(struct scp_relax *relax, const struct scp_select *p);
void scp_relax_free(struct scp_relax *relax); /* legal on a zeroed or half-made one */

void scp_relax_solve(struct scp_relax *relax, const struct scp_relax_problem *problem);

#endif
