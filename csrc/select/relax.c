/* The best sum of profits over feasible sets, from above: exact for size and group quotas (a
 * matroid), Lagrangian in the budget, distances ignored. */
#include "problem.h"

#include <math.h>

#define MU_STEPS 40

/* order[] = active positions by falling reduced profit, ties to the lower position; only the first
 * `keep` places need be right. */
static void sort_profits(uint32_t *order, const double *profit, size_t count, size_t keep) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (size == keep && profit[order[size - 1]] >= profit[i]) continue;
        size_t at = size < keep ? size++ : size - 1;
        for (; at > 0 && profit[order[at - 1]] < profit[i]; at--) order[at] = order[at - 1];
        order[at] = (uint32_t)i;
    }
}

struct relax_task {
    const struct scp_select *p;
    const uint32_t *active, *taken;
    size_t count, n_taken, r;
    uint32_t *order, *used;
};

/* Greedy by profit; exact because quotas and size form a matroid. */
static void greedy(struct scp_relax *out, uint32_t *chosen, const double *profit,
                   const struct relax_task *t) {
    const uint32_t *groups = t->p->in.groups;
    const int any = t->r == SIZE_MAX;
    size_t keep = groups || any || t->r >= t->count ? t->count : t->r + 1;
    sort_profits(t->order, profit, t->count, keep);
    if (groups) {
        for (size_t i = 0; i < t->count; i++) t->used[groups[t->active[i]]] = 0;
        for (size_t i = 0; i < t->n_taken; i++) t->used[groups[t->taken[i]]] = 0;
        for (size_t i = 0; i < t->n_taken; i++) t->used[groups[t->taken[i]]]++;
    }
    out->value = out->last = 0;
    out->next = -INFINITY;
    out->count = 0;
    for (size_t i = 0; i < keep; i++) {
        const uint32_t at = t->order[i];
        if (out->count == t->r || (any && profit[at] <= 0)) {
            out->next = profit[at];
            break;
        }
        if (groups && t->used[groups[t->active[at]]]++ >= t->p->quota_left[groups[t->active[at]]])
            continue;
        out->value += profit[at];
        out->last = profit[at];
        chosen[out->count++] = at;
    }
    if (out->count < t->r) out->last = 0;
}

void scp_relax_solve(struct scp_relax *out, uint32_t *chosen, double *profit, const double *rho,
                     const uint32_t *active, size_t count, const uint32_t *taken, size_t n_taken,
                     size_t r, const struct scp_select *p, uint32_t *order, uint32_t *used) {
    const struct relax_task task = {p, active, taken, count, n_taken, r, order, used};
    const double *costs = p->in.costs;
    for (size_t i = 0; i < count; i++) profit[i] = rho[i];
    greedy(out, chosen, profit, &task);
    out->mu = 0;
    if (!costs) return;
    double left = p->budget, spent = 0, high = 0;
    for (size_t i = 0; i < n_taken; i++) left -= costs[taken[i]];
    for (size_t i = 0; i < out->count; i++) spent += costs[active[chosen[i]]];
    if (left < 0) left = 0;
    if (spent <= left) return;
    for (size_t i = 0; i < count; i++)
        if (costs[active[i]] > 0 && rho[i] / costs[active[i]] > high)
            high = rho[i] / costs[active[i]];
    high *= 2;
    double low = 0, best = out->value, best_mu = 0;
    for (int step = 0; step < MU_STEPS; step++) { /* convex in mu: follow the sign of the slope */
        const double mu = 0.5 * (low + high);
        for (size_t i = 0; i < count; i++) profit[i] = rho[i] - mu * costs[active[i]];
        greedy(out, chosen, profit, &task);
        spent = 0;
        for (size_t i = 0; i < out->count; i++) spent += costs[active[chosen[i]]];
        if (out->value + mu * left < best) best = out->value + mu * left, best_mu = mu;
        if (spent > left)
            low = mu;
        else
            high = mu;
    }
    for (size_t i = 0; i < count; i++) profit[i] = rho[i] - best_mu * costs[active[i]];
    greedy(out, chosen, profit, &task);
    out->value += best_mu * left;
    out->mu = best_mu;
}
