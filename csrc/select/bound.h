/* What the Lagrangian bound says about single rows (bound.c). */
#ifndef SCP_SELECT_BOUND_H
#define SCP_SELECT_BOUND_H

#include "problem.h"

/* For multipliers lambda[q] (units of the screen), in float64 and units of the score:
 * score(S) <= *sum + sum of rho[i] over the rows open[i] of S + *error, rounding included. */
enum scp_status scp_exact_excess(double *rho, double *sum, double *error,
                                 const struct scp_select *p, const float *lambda,
                                 const struct scp_control *control);

#endif
