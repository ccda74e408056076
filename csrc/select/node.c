/* Work on one node: a few subgradient steps from the parent's multipliers; every bound on the way
 * may close the node, drop rows that cannot be in a better set, or take rows that must be. */
#include "node.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"

#define STEPS 8    /* at most, per node */
#define FACTOR 2.5 /* Polyak factor of the first step */
#define DECAY 0.8  /* per step */
#define FORGET 0.7 /* per step, of the presence of rows */

enum scp_status scp_work_create(struct scp_work *w, const struct scp_select *p) {
    const size_t n = p->in.n + 1, q = p->in.q;
    if (scp_steps_create(&w->steps, p) != SCP_OK) return SCP_ENOMEM;
    w->floor = scp_alloc(q, sizeof *w->floor);
    w->best = scp_alloc(q, sizeof *w->best);
    w->rho = scp_alloc(n, sizeof *w->rho);
    w->presence = scp_alloc(n, sizeof *w->presence);
    w->taken = scp_alloc(n, sizeof *w->taken);
    w->open = scp_alloc(n, sizeof *w->open);
    w->trial = scp_alloc(n, sizeof *w->trial);
    w->found = scp_alloc(n, sizeof *w->found);
    w->drop = scp_alloc(n, 1);
    const int ok = w->floor && w->best && w->rho && w->presence && w->taken && w->open &&
                   w->trial && w->found && w->drop;
    return ok ? SCP_OK : SCP_ENOMEM;
}

void scp_work_free(struct scp_work *w) {
    scp_steps_free(&w->steps);
    scp_free(w->floor);
    scp_free(w->best);
    scp_free(w->rho);
    scp_free(w->presence);
    scp_free(w->taken);
    scp_free(w->open);
    scp_free(w->trial);
    scp_free(w->found);
    scp_free(w->drop);
    memset(w, 0, sizeof *w);
}

/* Upper bound in units of the score of lambda sum + profits, both in units of the screen. */
static double inflate(const struct scp_select *p, double sum, double profit) {
    const double magnitude = fabs(sum) + fabs(profit) + 2 * (p->scale > 0 ? p->size / p->scale : 0);
    const double error = fabs(profit) * SCP_EXCESS_ERROR +
                         ((double)p->in.q + (double)p->in.n + 64) * 0x1p-53 * magnitude;
    return p->scale * (sum + profit + error) + p->screen_error + p->score_error;
}

static void consider(struct scp_work *w, const struct scp_select *p, const uint32_t *set,
                     size_t count) {
    const double score = scp_select_score(p, set, count);
    if (w->n_found != SIZE_MAX &&
        !scp_score_better(score, set, count, w->score, w->found, w->n_found))
        return;
    w->score = score;
    w->n_found = count;
    memcpy(w->found, set, count * sizeof *set);
}

static void take(struct scp_work *w, const struct scp_select *p, uint32_t row) {
    w->taken[w->n_taken++] = row;
    scp_sort_set(w->taken, w->n_taken);
    scp_kernels()->coverage.best(w->floor, p->screen + row * p->in.q, p->in.q);
    scp_kernels()->coverage.best(w->steps.lambda, w->floor, p->in.q);
}

/* Removes dropped rows, and those the rules now forbid. */
static void compact(struct scp_work *w, const struct scp_select *p) {
    const int trivial = scp_rules_trivial(p);
    size_t kept = 0;
    for (size_t i = 0; i < w->n_open; i++)
        if (!w->drop[i] && (trivial || scp_rules_allow(p, w->taken, w->n_taken, w->open[i])))
            w->open[kept++] = w->open[i];
    w->n_open = kept;
    memset(w->drop, 0, kept);
}

/* One row is missing: lambda = floor is exact, so try every row that can reach the best. */
static void last_pick(struct scp_work *w, const struct scp_tree *tree) {
    const struct scp_select *p = tree->p;
    memcpy(w->steps.lambda, w->floor, p->in.q * sizeof(float));
    scp_excess(w->rho, p, w->open, w->n_open, w->steps.lambda);
    const double sum = scp_steps_sum(&w->steps);
    size_t order = w->n_open;
    for (size_t i = 0; i < w->n_open; i++) /* the most promising first */
        if (order == w->n_open || w->rho[i] > w->rho[order]) order = i;
    for (size_t k = 0; k <= w->n_open; k++) {
        const size_t i = k == 0 ? order : k - 1;
        if (k > 0 && i == order) continue;
        const double reach = inflate(p, sum, w->rho[i]);
        if (reach < tree->incumbent || (w->n_found != SIZE_MAX && reach < w->score)) continue;
        memcpy(w->trial, w->taken, w->n_taken * sizeof *w->trial);
        w->trial[w->n_taken] = w->open[i];
        scp_sort_set(w->trial, w->n_taken + 1);
        consider(w, p, w->trial, w->n_taken + 1);
    }
}

/* Closes the node when nothing is left to decide. */
static int finished(struct scp_work *w, const struct scp_tree *tree) {
    const int any = tree->m == SCP_SELECT_ANY;
    const size_t missing = any ? 1 : tree->m - w->n_taken;
    if (!any && w->n_open < missing) return 1;
    if ((any && w->n_open == 0) || missing == 0) {
        if (w->n_taken + tree->p->n_initial > 0) consider(w, tree->p, w->taken, w->n_taken);
        return 1;
    }
    if (any || missing > 1) return 0;
    last_pick(w, tree);
    return 1;
}

/* Marks rows that cannot be in a set as good as the incumbent; takes rows that must be. Returns how
 * many were taken. */
static size_t fix_rows(struct scp_work *w, const struct scp_tree *tree,
                       const struct scp_relax *relax, double sum) {
    const struct scp_select *p = tree->p;
    const struct scp_steps *s = &w->steps;
    uint8_t *chosen = w->drop; /* first 2 for chosen rows, then 1 for those to drop */
    size_t n_must = 0;
    for (size_t i = 0; i < relax->count; i++) chosen[s->chosen[i]] = 2;
    for (size_t i = 0; i < w->n_open; i++) {
        if (chosen[i] == 2) continue;
        const double profit = relax->value - relax->last + s->profit[i];
        w->drop[i] = inflate(p, sum, profit) < tree->incumbent;
    }
    for (size_t i = 0; i < relax->count; i++) {
        const uint32_t at = s->chosen[i];
        w->drop[at] = 0;
        if (!scp_rules_trivial(p) || !(relax->next > -INFINITY)) continue;
        const double without = relax->value - s->profit[at] + relax->next;
        if (inflate(p, sum, without) < tree->incumbent) {
            w->drop[at] = 1;
            w->trial[n_must++] = w->open[at];
        }
    }
    for (size_t i = 0; i < n_must; i++) take(w, p, w->trial[i]);
    return n_must;
}

static void note_presence(struct scp_work *w, const struct scp_relax *relax) {
    for (size_t i = 0; i < w->n_open; i++) w->presence[w->open[i]] *= FORGET;
    for (size_t i = 0; i < relax->count; i++) w->presence[w->open[w->steps.chosen[i]]] += 1;
}

static void try_relaxed_set(struct scp_work *w, const struct scp_select *p,
                            const struct scp_relax *relax, size_t m) {
    size_t count = w->n_taken;
    if (m != SCP_SELECT_ANY && count + relax->count != m) return;
    memcpy(w->trial, w->taken, count * sizeof *w->trial);
    for (size_t i = 0; i < relax->count; i++) w->trial[count++] = w->open[w->steps.chosen[i]];
    scp_sort_set(w->trial, count);
    if (count + p->n_initial > 0 && !scp_select_violates(p, w->trial, count))
        consider(w, p, w->trial, count);
}

static void choose_branch(struct scp_work *w, const struct scp_tree *tree) {
    size_t at = 0;
    for (size_t i = 1; i < w->n_open; i++)
        if (w->presence[w->open[i]] > w->presence[w->open[at]]) at = i;
    w->branch = w->open[at];
    for (size_t i = 0; tree->twin && i < w->n_open; i++) /* of equal rows, the lowest first */
        if (tree->twin[w->open[i]] == tree->twin[w->branch]) {
            w->branch = w->open[i];
            break;
        }
}

void scp_node_process(struct scp_work *w, const struct scp_tree *tree) {
    const struct scp_select *p = tree->p;
    struct scp_node *node = w->node;
    struct scp_steps *s = &w->steps;
    const size_t bytes = p->in.q * sizeof(float);
    w->closed = 1;
    w->n_found = SIZE_MAX;
    w->n_taken = node->n_taken;
    w->n_open = node->n_open;
    memcpy(w->taken, node->rows, w->n_taken * sizeof *w->taken);
    memcpy(w->open, node->rows + w->n_taken, w->n_open * sizeof *w->open);
    memset(w->drop, 0, w->n_open);
    memcpy(w->floor, p->screen_floor, bytes);
    for (size_t k = 0; k < w->n_taken; k++)
        scp_kernels()->coverage.best(w->floor, p->screen + w->taken[k] * p->in.q, p->in.q);
    memcpy(s->lambda, node->multipliers->lambda, bytes);
    scp_kernels()->coverage.best(s->lambda, w->floor, p->in.q);
    memcpy(w->best, s->lambda, bytes);
    scp_steps_reset(s);
    for (size_t i = 0; i < p->in.n; i++) w->presence[i] = 0;
    compact(w, p);
    double least = INFINITY, factor = FACTOR;
    const double target = p->scale > 0 ? tree->incumbent / p->scale : 0;
    for (size_t step = 0; step < STEPS; step++) {
        if (finished(w, tree)) return;
        const size_t missing = tree->m == SCP_SELECT_ANY ? SIZE_MAX : tree->m - w->n_taken;
        struct scp_relax relax;
        scp_excess(w->rho, p, w->open, w->n_open, s->lambda);
        const double sum = scp_steps_sum(s);
        scp_relax_solve(&relax, s->chosen, s->profit, w->rho, w->open, w->n_open, w->taken,
                        w->n_taken, missing, p, s->order, s->used);
        const double bound = inflate(p, sum, relax.value);
        if (bound < node->bound) node->bound = bound;
        if (sum + relax.value < least) {
            least = sum + relax.value;
            memcpy(w->best, s->lambda, bytes);
        }
        if (node->bound < tree->incumbent) return;
        note_presence(w, &relax);
        if (step == 0 || step == STEPS - 1) try_relaxed_set(w, p, &relax, tree->m);
        const int stuck = scp_steps_move(s, w->floor, w->open, relax.count,
                                         factor * (sum + relax.value - target));
        factor *= DECAY;
        if (fix_rows(w, tree, &relax, sum) > 0) least = INFINITY;
        compact(w, p);
        if (stuck) break;
    }
    if (finished(w, tree)) return;
    scp_kernels()->coverage.best(w->best, w->floor, p->in.q);
    choose_branch(w, tree);
    w->closed = 0;
}
