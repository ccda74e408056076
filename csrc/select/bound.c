/* The Lagrangian bound (Cornuejols, Fisher, Nemhauser 1977), by projected subgradient steps.
 *
 * Steps run in the units of `screen`, sums of excess in float32. The bound that is reported is
 * computed once more from the best multipliers in float64 on `values` with an error margin, so it
 * is valid whatever the steps did. Multipliers below the base of a client are never useful (raising
 * one to the base lowers the bound or leaves it), so lambda >= base throughout. */
#include "problem.h"
#include "steps.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

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

/* Bound of lambda in float64, in units of the score. */
static enum scp_status certify(double *bound, struct excess *e, struct scp_steps *s, size_t r,
                               const struct scp_control *control) {
    const struct scp_select *p = e->p;
    double sum, error;
    const enum scp_status status = scp_exact_excess(e->rho, &sum, &error, p, e->lambda, control);
    if (status != SCP_OK) return status;
    struct scp_relax relax;
    scp_relax_solve(&relax, s->chosen, s->profit, e->rho, p->open, p->n_open, p->included,
                    p->n_included, r, p, s->order, s->used);
    *bound = sum + relax.value + error;
    return SCP_OK;
}

/* Sums of excess of s->lambda in e->rho, and the sum of the multipliers. */
static enum scp_status excess_and_sum(struct excess *e, double *sum, const struct scp_steps *s) {
    const struct scp_select *p = e->p;
    if (p->search) return p->cuda->ascent_excess(p->search, e->rho, sum);
    e->lambda = s->lambda;
    const enum scp_status status = scp_parallel(row_tasks(p), excess_rows, e, NULL);
    *sum = scp_steps_sum(s);
    return status;
}

/* scp_steps_move, where the multipliers are. *zero: the subgradient is zero. */
static enum scp_status move(int *zero, struct scp_steps *s, size_t n_chosen, double gap) {
    const struct scp_select *p = s->p;
    if (p->search)
        return p->cuda->ascent_move(p->search, zero, s->chosen, n_chosen, gap, SCP_STEP_MEMORY);
    *zero = scp_steps_move(s, p->screen_floor, p->open, n_chosen, gap);
    return SCP_OK;
}

/* Starting multipliers: halfway between the best and the second best value in the set. */
static void start_lambda(float *lambda, const struct scp_select *p, const uint32_t *set,
                         size_t count) {
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

enum scp_status scp_select_bound(double *bound, float *lambda, const struct scp_select *p, size_t m,
                                 const uint32_t *best, size_t count, double score,
                                 size_t iterations, const struct scp_control *control) {
    const size_t q_count = p->in.q, r = m == SCP_SELECT_ANY ? m : m - p->n_included;
    enum scp_status status = SCP_ENOMEM;
    struct scp_steps s = {0};
    struct excess e = {.p = p};
    if (m < p->n_included) return SCP_EINFEASIBLE;
    float *top = scp_alloc(q_count, sizeof *top); /* the best multipliers so far */
    e.rho = scp_alloc(p->n_open + 1, sizeof *e.rho);
    if (!top || !e.rho || scp_steps_create(&s, p) != SCP_OK) goto out;
    if (lambda && !isnan(lambda[0]))
        memcpy(s.lambda, lambda, q_count * sizeof *s.lambda);
    else
        start_lambda(s.lambda, p, best, count);
    for (size_t q = 0; q < q_count; q++)
        if (!(s.lambda[q] > p->screen_floor[q])) s.lambda[q] = p->screen_floor[q];
    memcpy(top, p->screen_floor, q_count * sizeof *top);
    e.lambda = top; /* base itself: the bound by gains, exact for one pick */
    status = certify(bound, &e, &s, r, control);
    if (status != SCP_OK) goto out;
    const double base_bound = *bound, target = p->scale > 0 ? score / p->scale : 0;
    double least = INFINITY, factor = SCP_STEP_FIRST;
    size_t stale = 0;
    if (r <= 1) iterations = 0;
    if (r == 0 || r == p->n_open) { /* one set only */
        iterations = 0;
        *bound = score;
    }
    if (p->search && iterations > 0) {
        status = p->cuda->ascent_begin(p->search, s.lambda, p->screen_floor, p->open, p->n_open);
        if (status != SCP_OK) goto out;
    }
    for (size_t it = 0; it < iterations && factor > SCP_STEP_LAST; it++) {
        double sum;
        int zero;
        status = excess_and_sum(&e, &sum, &s);
        if (status != SCP_OK) goto out;
        if (scp_poll(control, it, iterations) != SCP_OK) {
            status = SCP_EINTERRUPTED;
            goto out;
        }
        struct scp_relax relax;
        scp_relax_solve(&relax, s.chosen, s.profit, e.rho, p->open, p->n_open, p->included,
                        p->n_included, r, p, s.order, s.used);
        const double value = sum + relax.value;
        if (value < least) {
            if (value < least - 1e-5 * fabs(least - target)) stale = 0;
            least = value;
            if (p->search)
                status = p->cuda->ascent_read(p->search, top);
            else
                memcpy(top, s.lambda, q_count * sizeof *top);
            if (status != SCP_OK) goto out;
        }
        if (++stale > SCP_STEP_PATIENCE) factor *= 0.5, stale = 0;
        if (least - target <= 1e-7 * fabs(target)) break;
        status = move(&zero, &s, relax.count, factor * (value - target));
        if (status != SCP_OK) goto out;
        if (zero) break;
    }
    if (least < INFINITY) {
        e.lambda = top;
        status = certify(bound, &e, &s, r, control);
        if (status != SCP_OK) goto out;
    }
    if (base_bound < *bound) {
        *bound = base_bound;
        memcpy(top, p->screen_floor, q_count * sizeof *top);
    }
    if (lambda) memcpy(lambda, top, q_count * sizeof *top);
out:
    scp_steps_free(&s);
    scp_free(top);
    scp_free(e.rho);
    return status;
}
