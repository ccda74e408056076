/* What the files of this folder share: the prepared problem, the rules, and the relaxation.
 *
 * Two matrices: `values` decides (float64 sums, score.c), `screen` guides (float32 sums): screen =
 * values times a factor per client, so that its plain sum times `scale` is nearly the score. With
 * equal weights they are the same memory. */
#ifndef SCP_SELECT_PROBLEM_H
#define SCP_SELECT_PROBLEM_H

#include "scp/cuda.h"
#include "scp/select.h"

struct scp_select {
    struct scp_select_input in; /* borrowed arrays */
    uint32_t *candidates; /* [n_candidates] rows that may be picked (FREE, INCLUDE), ascending */
    size_t n_candidates;
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
    struct scp_cuda_search *search;
};

/* ---- bound.c ---- */

/* For multipliers lambda[q] (units of the screen), in float64 and units of the score:
 * score(S) <= *sum + sum of rho[i] over the rows open[i] of S + *error, rounding included. */
enum scp_status scp_exact_excess(double *rho, double *sum, double *error,
                                 const struct scp_select *p, const float *lambda,
                                 const struct scp_control *control);

/* ---- rules.c ---- */

/* Whether row c may join set[count]; looks at role, groups, budget and distances. */
int scp_rules_allow(const struct scp_select *p, const uint32_t *set, size_t count, uint32_t c);

/* Whether set[count] can grow to m rows: 1 yes (extension in set[count .. m-1], room for m), 0 no,
 * -1 not found within the search limit. `scratch` has scp_rules_scratch(p) bytes. */
int scp_rules_complete(const struct scp_select *p, uint32_t *set, size_t count, size_t m,
                       void *scratch);
size_t scp_rules_scratch(const struct scp_select *p);

/* Non-zero when only the size matters: no groups, budget or distances. */
int scp_rules_trivial(const struct scp_select *p);

/* ---- relax.c ---- */

/* The largest sum of rho over at most r rows of active[count] under group quotas, given that
 * taken[n_taken] is in the set already, relaxed by a multiplier on the budget; distances ignored.
 * r == SIZE_MAX: any number. */
struct scp_relax {
    double value; /* upper bound of the sum */
    double mu;    /* budget multiplier used: reduced profit of row c is rho[c] - mu * cost[c] */
    double last;  /* smallest reduced profit chosen when r rows were chosen, else 0 */
    double next;  /* largest reduced profit not chosen (no groups), -infinity if none */
    size_t count; /* rows chosen */
};

/* rho[i] belongs to active[i]; profit[i] gets its reduced profit; chosen[] gets positions in
 * active, by falling reduced profit. chosen, profit and order have room for count, used for n. */
void scp_relax_solve(struct scp_relax *out, uint32_t *chosen, double *profit, const double *rho,
                     const uint32_t *active, size_t count, const uint32_t *taken, size_t n_taken,
                     size_t r, const struct scp_select *p, uint32_t *order, uint32_t *used);

/* ---- score.c ---- */

/* Score of set + row c where best[q] is the cover of set. */
double scp_score_with(const struct scp_select *p, const float *best, uint32_t c);

/* 1 when set a is better than b: larger score, or equal score and smaller sorted indices. */
int scp_score_better(double score_a, const uint32_t *a, size_t count_a, double score_b,
                     const uint32_t *b, size_t count_b);

void scp_sort_set(uint32_t *set, size_t count);

#endif
