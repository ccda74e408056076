/* The prepared problem, which all files of this folder share.
 *
 * Two matrices: `values` decides (float64 sums, score.c), `screen` guides (float32 sums): screen =
 * values times a factor per client, so that its plain sum times `scale` is nearly the score. With
 * equal weights they are the same memory. */
#ifndef SCP_SELECT_PROBLEM_H
#define SCP_SELECT_PROBLEM_H

#include "scp/cuda.h"
#include "scp/select.h"

struct scp_select {
    struct scp_select_input in; /* values and distances are borrowed, the rest copied */
    void *copies;               /* that rest, one after the other */
    uint32_t *candidates; /* [n_candidates] rows that may be picked (FREE, INCLUDE), ascending */
    size_t n_candidates;
    uint32_t *by_cost;  /* [n_candidates] the same by rising cost, ties to the lower row */
    uint32_t *included; /* [n_included], ascending */
    size_t n_included;
    uint32_t *open; /* [n_open] candidates that are not included, ascending */
    size_t n_open;
    uint32_t *initial; /* [n_initial], ascending */
    size_t n_initial;
    uint32_t *quota_left; /* [n]: what the initial rows left of each group's quota */
    double budget;        /* with its tolerance */

    float *base;              /* [q] best initial value, or the smallest value of the candidates */
    const float *screen;      /* [n][q] */
    float *screen_owned;      /* the same, when it is not `values` */
    const float *screen_base; /* [q] */
    float *screen_base_owned;
    float *floor;              /* [q] base with the included rows: every feasible set covers this */
    const float *screen_floor; /* [q] */
    float *screen_floor_owned;
    double scale;        /* score ~ scale * sum of screen values */
    double size;         /* sum_q weights[q] * max_t |values[t][q]| */
    double score_error;  /* |computed score - true score| is below this */
    double screen_error; /* |computed score - scale * exact sum of screen values| is below this */

    const struct scp_cuda_table *cuda; /* scp_select_attach: heavy loops run there; else NULL */
    struct scp_cuda_selection *device;
};

#endif
