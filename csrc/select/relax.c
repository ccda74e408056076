/* The best sum of profits over feasible sets, from above: exact for size and group quotas (a
 * matroid), Lagrangian in the budget, distances ignored. */
#include "relax.h"

#include <math.h>

#include "heap.h"
#include "scp/alloc.h"

#define BISECTIONS 40 /* of the budget multiplier */

enum scp_status scp_relax_create(struct scp_relax *relax, const struct scp_select *p) {
    const size_t n = p->in.n + 1;
    relax->profit = scp_alloc(n, sizeof *relax->profit);
    relax->chosen = scp_alloc(n, sizeof *relax->chosen);
    relax->order = scp_alloc(n, sizeof *relax->order);
    relax->used = scp_alloc(n, sizeof *relax->used);
    return relax->profit && relax->chosen && relax->order && relax->used ? SCP_OK : SCP_ENOMEM;
}

void scp_relax_free(struct scp_relax *relax) {
    scp_free(relax->profit);
    scp_free(relax->chosen);
    scp_free(relax->order);
    scp_free(relax->used);
}

/* Greedy by profit; exact because quotas and size form a matroid. */
static void greedy(struct scp_relax *out, const struct scp_relax_problem *t) {
    const uint32_t *groups = t->p->in.groups;
    const double *profit = out->profit;
    const int any = t->r == SIZE_MAX;
    size_t keep = groups || any || t->r >= t->count ? t->count : t->r + 1;
    scp_sort_keys(out->order, keep, profit, t->count);
    if (groups) {
        for (size_t i = 0; i < t->count; i++) out->used[groups[t->active[i]]] = 0;
        for (size_t i = 0; i < t->n_taken; i++) out->used[groups[t->taken[i]]] = 0;
        for (size_t i = 0; i < t->n_taken; i++) out->used[groups[t->taken[i]]]++;
    }
    out->value = out->last = 0;
    out->next = -INFINITY;
    out->count = 0;
    for (size_t i = 0; i < keep; i++) {
        const uint32_t at = out->order[i];
        if (out->count == t->r || (any && profit[at] <= 0)) {
            out->next = profit[at];
            break;
        }
        if (groups && out->used[groups[t->active[at]]]++ >= t->p->quota_left[groups[t->active[at]]])
            continue;
        out->value += profit[at];
        out->last = profit[at];
        out->chosen[out->count++] = at;
    }
    if (out->count < t->r) out->last = 0;
}

static void price(struct scp_relax *out, const struct scp_relax_problem *t, double mu) {
    const double *costs = t->p->in.costs;
    for (size_t i = 0; i < t->count; i++) out->profit[i] = t->rho[i] - mu * costs[t->active[i]];
    greedy(out, t);
}

static double cost_of_chosen(const struct scp_relax *out, const struct scp_relax_problem *t) {
    double cost = 0;
    for (size_t i = 0; i < out->count; i++) cost += t->p->in.costs[t->active[out->chosen[i]]];
    return cost;
}

void scp_relax_solve(struct scp_relax *out, const struct scp_relax_problem *t) {
    const double *costs = t->p->in.costs;
    for (size_t i = 0; i < t->count; i++) out->profit[i] = t->rho[i];
    greedy(out, t);
    out->mu = 0;
    if (!costs) return;
    double left = t->p->budget, high = 0;
    for (size_t i = 0; i < t->n_taken; i++) left -= costs[t->taken[i]];
    if (left < 0) left = 0;
    if (cost_of_chosen(out, t) <= left) return;
    for (size_t i = 0; i < t->count; i++)
        if (costs[t->active[i]] > 0 && t->rho[i] / costs[t->active[i]] > high)
            high = t->rho[i] / costs[t->active[i]];
    high *= 2;
    double low = 0, best = out->value, best_mu = 0;
    for (int k = 0; k < BISECTIONS; k++) { /* convex in mu: follow the sign of the slope */
        const double mu = 0.5 * (low + high);
        price(out, t, mu);
        if (out->value + mu * left < best) best = out->value + mu * left, best_mu = mu;
        if (cost_of_chosen(out, t) > left)
            low = mu;
        else
            high = mu;
    }
    price(out, t, best_mu);
    out->value += best_mu * left;
    out->mu = best_mu;
}
