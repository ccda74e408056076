/* The Lagrangian bound on Eq. 9 (Cornuejols, Fisher, Nemhauser 1977), by the subgradient method.
 *
 * Iterations run in the units of `screen`, sums of excess in float32. The bound that is reported is
 * computed once more from the best multipliers in float64 on `values` with an error margin, so it
 * is valid whatever the iterations did. Multipliers below the base of a client are never useful
 * (raising one to the base lowers the bound or leaves it), so lambda >= base throughout. */
#include "bound.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"
#include "subgradient.h"

#define ROWS 16 /* per task */

struct excess {
    const struct scp_select *p;
    const float *lambda;
    const double *scaled; /* [q] lambda in units of the score, for the exact pass */
    double *rho;
    int exact;
};

static enum scp_status excess_rows(void *context, size_t task, size_t worker) {
    const struct excess *e = context;
    const struct scp_select *p = e->p;
    const size_t at = task * ROWS;
    const size_t size = p->n_open - at < ROWS ? p->n_open - at : ROWS;
    (void)worker;
    if (!e->exact) {
        scp_excess(e->rho + at, p, p->open + at, size, e->lambda);
        return SCP_OK;
    }
    for (size_t i = at; i < at + size; i++)
        e->rho[i] = scp_kernels()->coverage.weighted_excess(
            p->in.weights, e->scaled, p->in.values + p->open[i] * p->in.q, p->in.q);
    return SCP_OK;
}

static size_t row_tasks(const struct scp_select *p) {
    return (p->n_open + ROWS - 1) / ROWS;
}

/* Rigorous: the relative inflation covers the products, the sums over clients (lanes of q / 8) and
 * the sums over rows. */
enum scp_status scp_exact_excess(double *rho, double *sum, double *error,
                                 const struct scp_select *p, const float *lambda,
                                 const struct scp_control *control) {
    double *scaled = scp_alloc(p->in.q, sizeof *scaled);
    if (!scaled) return SCP_ENOMEM;
    double magnitude = 0;
    *sum = 0;
    for (size_t q = 0; q < p->in.q; q++) {
        const double floor = p->in.weights[q] * (double)p->floor[q];
        scaled[q] = p->scale * (double)lambda[q];
        if (!(scaled[q] > floor)) scaled[q] = floor;
        *sum += scaled[q];
        magnitude += fabs(scaled[q]);
    }
    struct excess e = {.p = p, .scaled = scaled, .rho = rho, .exact = 1};
    const enum scp_status status = scp_parallel(row_tasks(p), excess_rows, &e, control);
    if (status == SCP_OK) {
        double weight = 0;
        for (size_t i = 0; i < p->n_open; i++) weight += rho[i];
        const double relative = ((double)p->in.q + (double)p->n_open + 64) * 0x1p-52;
        *error = relative * (magnitude + weight + p->size);
    }
    scp_free(scaled);
    return status;
}

/* The search for the lowest bound. */
struct ascent {
    struct excess excess;
    struct scp_subgradient s;
    float *best_lambda; /* [q] the multipliers of the lowest value so far */
    double min_value;   /* that value, in units of the screen */
    size_t r;           /* rows to choose */
};

static void relax(struct ascent *a) {
    const struct scp_select *p = a->excess.p;
    const struct scp_relax_problem problem = {.p = p,
                                              .rho = a->excess.rho,
                                              .active = p->open,
                                              .taken = p->included,
                                              .count = p->n_open,
                                              .n_taken = p->n_included,
                                              .r = a->r};
    scp_relax_solve(&a->s.relax, &problem);
}

/* Bound of lambda in float64, in units of the score. */
static enum scp_status certify(struct scp_select_dual *dual, struct ascent *a, const float *lambda,
                               const struct scp_control *control) {
    double sum, error;
    const enum scp_status status =
        scp_exact_excess(a->excess.rho, &sum, &error, a->excess.p, lambda, control);
    if (status != SCP_OK) return status;
    relax(a);
    dual->bound = sum + a->s.relax.value + error;
    dual->mu = a->s.relax.mu;
    return SCP_OK;
}

/* Sums of excess of the multipliers in excess.rho, and the sum of the multipliers. */
static enum scp_status excess_and_sum(struct ascent *a, double *sum) {
    const struct scp_select *p = a->excess.p;
    if (p->device) return p->cuda->ascent_excess(p->device, a->excess.rho, sum);
    a->excess.lambda = a->s.lambda;
    const enum scp_status status = scp_parallel(row_tasks(p), excess_rows, &a->excess, NULL);
    *sum = scp_subgradient_sum(&a->s);
    return status;
}

/* scp_subgradient_move, where the multipliers are. *zero: the subgradient is zero. */
static enum scp_status move(int *zero, struct ascent *a, double gap) {
    const struct scp_select *p = a->excess.p;
    const struct scp_relax *relax = &a->s.relax;
    if (p->device)
        return p->cuda->ascent_move(p->device, zero, relax->chosen, relax->count, gap,
                                    SCP_SUBGRADIENT_MEMORY);
    *zero = scp_subgradient_move(&a->s, p->screen_floor, p->open, gap);
    return SCP_OK;
}

/* Starting multipliers: halfway between the best and the second best value in the set. */
static void start_lambda(float *lambda, const struct scp_select *p,
                         const struct scp_select_incumbent *incumbent) {
    const uint32_t *set = incumbent->set;
    const size_t count = incumbent->count;
    memcpy(lambda, p->screen_floor, p->in.q * sizeof *lambda);
    if (count < 2) return;
    for (size_t q = 0; q < p->in.q; q++) {
        float d1 = p->screen_floor[q], d2 = d1;
        for (size_t k = 0; k < count; k++) {
            const float v = p->screen[set[k] * p->in.q + q];
            d2 = v > d1 ? d1 : v > d2 ? v : d2;
            d1 = v > d1 ? v : d1;
        }
        lambda[q] = d2 + (d1 - d2) * 0.5f;
    }
}

/* Where the iterations begin: the caller's multipliers, or those of the incumbent. */
static enum scp_status start(struct ascent *a, const float *lambda,
                             const struct scp_select_incumbent *incumbent, size_t iterations) {
    const struct scp_select *p = a->excess.p;
    const size_t q_count = p->in.q;
    if (lambda && !isnan(lambda[0]))
        memcpy(a->s.lambda, lambda, q_count * sizeof *a->s.lambda);
    else
        start_lambda(a->s.lambda, p, incumbent);
    for (size_t q = 0; q < q_count; q++)
        if (!(a->s.lambda[q] > p->screen_floor[q])) a->s.lambda[q] = p->screen_floor[q];
    if (!p->device || iterations == 0) return SCP_OK;
    return p->cuda->ascent_begin(p->device, a->s.lambda, p->screen_floor, p->open, p->n_open);
}

/* Until the Polyak factor is spent, the bound meets the target or the subgradient is zero. */
static enum scp_status iterate(struct ascent *a, double target, size_t iterations,
                               const struct scp_control *control) {
    const struct scp_select *p = a->excess.p;
    double factor = SCP_SUBGRADIENT_FIRST;
    size_t stale = 0;
    for (size_t it = 0; it < iterations && factor > SCP_SUBGRADIENT_LAST; it++) {
        double sum;
        int zero;
        enum scp_status status = excess_and_sum(a, &sum);
        if (status != SCP_OK) return status;
        if (scp_poll(control, it, iterations) != SCP_OK) return SCP_EINTERRUPTED;
        relax(a);
        const double value = sum + a->s.relax.value;
        if (value < a->min_value) {
            if (value < a->min_value - 1e-5 * fabs(a->min_value - target)) stale = 0;
            a->min_value = value;
            if (p->device)
                status = p->cuda->ascent_read(p->device, a->best_lambda);
            else
                memcpy(a->best_lambda, a->s.lambda, p->in.q * sizeof *a->best_lambda);
            if (status != SCP_OK) return status;
        }
        if (++stale > SCP_SUBGRADIENT_PATIENCE) factor *= 0.5, stale = 0;
        if (a->min_value - target <= 1e-7 * fabs(target)) break;
        status = move(&zero, a, factor * (value - target));
        if (status != SCP_OK) return status;
        if (zero) break;
    }
    return SCP_OK;
}

enum scp_status scp_select_bound(struct scp_select_dual *dual, const struct scp_select *p, size_t m,
                                 const struct scp_select_incumbent *incumbent, size_t iterations,
                                 const struct scp_control *control) {
    const size_t q_count = p->in.q, r = m == SCP_SELECT_ANY ? m : m - p->n_included;
    enum scp_status status = SCP_ENOMEM;
    struct ascent a = {.excess = {.p = p}, .min_value = INFINITY, .r = r};
    if (m < p->n_included) return SCP_EINFEASIBLE;
    float *best = a.best_lambda = scp_alloc(q_count, sizeof *best);
    a.excess.rho = scp_alloc(p->n_open + 1, sizeof *a.excess.rho);
    if (!best || !a.excess.rho || scp_subgradient_create(&a.s, p) != SCP_OK) goto out;
    memcpy(best, p->screen_floor, q_count * sizeof *best);
    /* base itself: the bound by gains, exact for one pick */
    status = certify(dual, &a, best, control);
    if (status != SCP_OK) goto out;
    const double base_bound = dual->bound, base_mu = dual->mu;
    const double target = p->scale > 0 ? incumbent->score / p->scale : 0;
    if (r <= 1) iterations = 0;
    if (r == 0 || r == p->n_open) { /* one set only */
        iterations = 0;
        dual->bound = incumbent->score;
    }
    status = start(&a, dual->lambda, incumbent, iterations);
    if (status == SCP_OK) status = iterate(&a, target, iterations, control);
    if (status == SCP_OK && a.min_value < INFINITY) status = certify(dual, &a, best, control);
    if (status != SCP_OK) goto out;
    if (base_bound < dual->bound) {
        dual->bound = base_bound;
        dual->mu = base_mu;
        memcpy(best, p->screen_floor, q_count * sizeof *best);
    }
    if (dual->lambda) memcpy(dual->lambda, best, q_count * sizeof *best);
out:
    scp_subgradient_free(&a.s);
    scp_free(best);
    scp_free(a.excess.rho);
    return status;
}
