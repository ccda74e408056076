/* Work on one node: a few subgradient iterations from the parent's multipliers; every bound on the
 * way may close the node, drop rows that cannot be in a better set, or take rows that must be. */
#include "node.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "../kernels/kernels.h"
#include "rules.h"
#include "score.h"

#define ITERATIONS 8 /* at most, per node */
#define FACTOR 2.5   /* Polyak factor of the first iteration */
#define DECAY 0.8    /* per iteration */
#define FORGET 0.7   /* per iteration, of the presence of rows */

enum scp_status scp_node_work_create(struct scp_node_work *w, const struct scp_select *p,
                                     size_t m) {
    const size_t n = p->in.n + 1, q = p->in.q;
    if (scp_subgradient_create(&w->subgradient, p) != SCP_OK) return SCP_ENOMEM;
    w->floor = scp_alloc(q, sizeof *w->floor);
    w->best = scp_alloc(q, sizeof *w->best);
    w->rho = scp_alloc(n, sizeof *w->rho);
    w->presence = scp_alloc(n, sizeof *w->presence);
    w->taken = scp_alloc(n, sizeof *w->taken);
    w->open = scp_alloc(n, sizeof *w->open);
    w->trial = scp_alloc(n, sizeof *w->trial);
    w->found = scp_alloc(n, sizeof *w->found);
    w->drop = scp_alloc(n, 1);
    if (m > 0) /* rows are chosen in every step and taken once */
        w->trace = scp_alloc(ITERATIONS * ((m < n ? m : n) + 4) + n, sizeof *w->trace);
    const int ok = w->floor && w->best && w->rho && w->presence && w->taken && w->open &&
                   w->trial && w->found && w->drop && (w->trace || m == 0);
    return ok ? SCP_OK : SCP_ENOMEM;
}

void scp_node_work_free(struct scp_node_work *w) {
    scp_subgradient_free(&w->subgradient);
    scp_free(w->floor);
    scp_free(w->best);
    scp_free(w->rho);
    scp_free(w->presence);
    scp_free(w->taken);
    scp_free(w->open);
    scp_free(w->trial);
    scp_free(w->found);
    scp_free(w->drop);
    scp_free(w->trace);
    memset(w, 0, sizeof *w);
}

/* Upper bound in units of the score of lambda sum + profits, both in units of the screen. */
static double inflate(const struct scp_select *p, double sum, double profit) {
    const double magnitude = fabs(sum) + fabs(profit) + 2 * (p->scale > 0 ? p->size / p->scale : 0);
    const double error = fabs(profit) * SCP_EXCESS_ERROR +
                         ((double)p->in.q + (double)p->in.n + 64) * 0x1p-53 * magnitude;
    return p->scale * (sum + profit + error) + p->screen_error + p->score_error;
}

static void note(struct scp_node_work *w, double number) {
    if (w->trace) w->trace[w->n_trace++] = number;
}

static void note_rows(struct scp_node_work *w, const uint32_t *rows, const uint32_t *at,
                      size_t count) {
    note(w, (double)count);
    for (size_t i = 0; i < count; i++) note(w, rows[at ? at[i] : i]);
}

static void update_found(struct scp_node_work *w, const struct scp_select *p, const uint32_t *set,
                         size_t count) {
    const double score = scp_select_score(p, set, count);
    if (w->n_found != SIZE_MAX &&
        !scp_score_better(score, set, count, w->score, w->found, w->n_found))
        return;
    w->score = score;
    w->n_found = count;
    memcpy(w->found, set, count * sizeof *set);
}

static void take(struct scp_node_work *w, const struct scp_select *p, uint32_t row) {
    w->taken[w->n_taken++] = row;
    scp_sort_set(w->taken, w->n_taken);
    scp_kernels()->coverage.best(w->floor, p->screen + row * p->in.q, p->in.q);
    scp_kernels()->coverage.best(w->subgradient.lambda, w->floor, p->in.q);
}

/* Removes dropped rows, and those the rules now forbid. */
static void compact(struct scp_node_work *w, const struct scp_select *p) {
    const int trivial = scp_rules_trivial(p);
    size_t kept = 0;
    for (size_t i = 0; i < w->n_open; i++)
        if (!w->drop[i] && (trivial || scp_rules_allow(p, w->taken, w->n_taken, w->open[i])))
            w->open[kept++] = w->open[i];
    w->n_open = kept;
    memset(w->drop, 0, kept);
}

/* One row is missing: lambda = floor is exact, so try every row that can reach the best. */
static void last_pick(struct scp_node_work *w, const struct scp_wave *wave) {
    const struct scp_select *p = wave->p;
    memcpy(w->subgradient.lambda, w->floor, p->in.q * sizeof(float));
    scp_excess(w->rho, p, w->open, w->n_open, w->subgradient.lambda);
    const double sum = scp_subgradient_sum(&w->subgradient);
    size_t order = w->n_open;
    for (size_t i = 0; i < w->n_open; i++) /* the most promising first */
        if (order == w->n_open || w->rho[i] > w->rho[order]) order = i;
    for (size_t k = 0; k <= w->n_open; k++) {
        const size_t i = k == 0 ? order : k - 1;
        if (k > 0 && i == order) continue;
        const double bound = inflate(p, sum, w->rho[i]);
        if (bound < wave->incumbent || (w->n_found != SIZE_MAX && bound < w->score)) continue;
        memcpy(w->trial, w->taken, w->n_taken * sizeof *w->trial);
        w->trial[w->n_taken] = w->open[i];
        scp_sort_set(w->trial, w->n_taken + 1);
        update_found(w, p, w->trial, w->n_taken + 1);
    }
}

/* Closes the node when nothing is left to decide. */
static int decided(struct scp_node_work *w, const struct scp_wave *wave) {
    const int any = wave->m == SCP_SELECT_ANY;
    const size_t missing = any ? 1 : wave->m - w->n_taken;
    if (!any && w->n_open < missing) return 1;
    if ((any && w->n_open == 0) || missing == 0) {
        if (w->n_taken + wave->p->n_initial > 0) update_found(w, wave->p, w->taken, w->n_taken);
        return 1;
    }
    if (any || missing > 1) return 0;
    last_pick(w, wave);
    return 1;
}

/* Marks rows that cannot be in a set as good as the incumbent; takes rows that must be. Returns how
 * many were taken. */
static size_t fix_rows(struct scp_node_work *w, const struct scp_wave *wave, double sum) {
    const struct scp_select *p = wave->p;
    const struct scp_relax *relax = &w->subgradient.relax;
    uint8_t *chosen = w->drop; /* first 2 for chosen rows, then 1 for those to drop */
    size_t n_must = 0;
    for (size_t i = 0; i < relax->count; i++) chosen[relax->chosen[i]] = 2;
    for (size_t i = 0; i < w->n_open; i++) {
        if (chosen[i] == 2) continue;
        const double profit = relax->value - relax->last + relax->profit[i];
        w->drop[i] = inflate(p, sum, profit) < wave->incumbent;
    }
    for (size_t i = 0; i < relax->count; i++) {
        const uint32_t at = relax->chosen[i];
        w->drop[at] = 0;
        if (!scp_rules_trivial(p) || !(relax->next > -INFINITY)) continue;
        const double without = relax->value - relax->profit[at] + relax->next;
        if (inflate(p, sum, without) < wave->incumbent) {
            w->drop[at] = 1;
            w->trial[n_must++] = w->open[at];
        }
    }
    note_rows(w, w->trial, NULL, n_must);
    for (size_t i = 0; i < n_must; i++) take(w, p, w->trial[i]);
    return n_must;
}

static void note_presence(struct scp_node_work *w) {
    const struct scp_relax *relax = &w->subgradient.relax;
    for (size_t i = 0; i < w->n_open; i++) w->presence[w->open[i]] *= FORGET;
    for (size_t i = 0; i < relax->count; i++) w->presence[w->open[relax->chosen[i]]] += 1;
}

static void try_relaxed_set(struct scp_node_work *w, const struct scp_select *p, size_t m) {
    const struct scp_relax *relax = &w->subgradient.relax;
    size_t count = w->n_taken;
    if (m != SCP_SELECT_ANY && count + relax->count != m) return;
    memcpy(w->trial, w->taken, count * sizeof *w->trial);
    for (size_t i = 0; i < relax->count; i++) w->trial[count++] = w->open[relax->chosen[i]];
    scp_sort_set(w->trial, count);
    if (count + p->n_initial > 0 && !scp_select_violates(p, w->trial, count))
        update_found(w, p, w->trial, count);
}

static void choose_branch(struct scp_node_work *w, const struct scp_wave *wave) {
    size_t at = 0;
    for (size_t i = 1; i < w->n_open; i++)
        if (w->presence[w->open[i]] > w->presence[w->open[at]]) at = i;
    w->branch = w->open[at];
    for (size_t i = 0; wave->twin && i < w->n_open; i++) /* of equal rows, the lowest first */
        if (wave->twin[w->open[i]] == wave->twin[w->branch]) {
            w->branch = w->open[i];
            break;
        }
}

/* The node's rows, their cover as the floor of the multipliers, and the parent's multipliers. */
static void load_node(struct scp_node_work *w, const struct scp_select *p) {
    const struct scp_node *node = w->node;
    const size_t bytes = p->in.q * sizeof(float);
    float *lambda = w->subgradient.lambda;
    w->closed = 1;
    w->n_found = SIZE_MAX;
    w->n_trace = w->n_moves = w->best_move = 0;
    w->n_taken = node->n_taken;
    w->n_open = node->n_open;
    memcpy(w->taken, node->rows, w->n_taken * sizeof *w->taken);
    memcpy(w->open, node->rows + w->n_taken, w->n_open * sizeof *w->open);
    memset(w->drop, 0, w->n_open);
    memcpy(w->floor, p->screen_floor, bytes);
    for (size_t k = 0; k < w->n_taken; k++)
        scp_kernels()->coverage.best(w->floor, p->screen + w->taken[k] * p->in.q, p->in.q);
    memcpy(lambda, node->multipliers->lambda, bytes);
    scp_kernels()->coverage.best(lambda, w->floor, p->in.q);
    memcpy(w->best, lambda, bytes);
    scp_subgradient_reset(&w->subgradient);
    for (size_t i = 0; i < p->in.n; i++) w->presence[i] = 0;
    compact(w, p);
}

/* Solves the relaxed problem at the multipliers; returns their sum. */
static double relax(struct scp_node_work *w, const struct scp_wave *wave) {
    const struct scp_select *p = wave->p;
    struct scp_subgradient *s = &w->subgradient;
    scp_excess(w->rho, p, w->open, w->n_open, s->lambda);
    const double sum = scp_subgradient_sum(s);
    const struct scp_relax_problem problem = {
        .p = p,
        .rho = w->rho,
        .active = w->open,
        .taken = w->taken,
        .count = w->n_open,
        .n_taken = w->n_taken,
        .r = wave->m == SCP_SELECT_ANY ? SIZE_MAX : wave->m - w->n_taken};
    scp_relax_solve(&s->relax, &problem);
    return sum;
}

void scp_node_process(struct scp_node_work *w, const struct scp_wave *wave) {
    const struct scp_select *p = wave->p;
    struct scp_node *node = w->node;
    struct scp_subgradient *s = &w->subgradient;
    load_node(w, p);
    double min_value = INFINITY, factor = FACTOR;
    const double target = p->scale > 0 ? wave->incumbent / p->scale : 0;
    for (size_t it = 0; it < ITERATIONS; it++) {
        if (decided(w, wave)) return;
        const double sum = relax(w, wave), value = sum + s->relax.value;
        const double bound = inflate(p, sum, s->relax.value);
        if (bound < node->bound) node->bound = bound;
        if (value < min_value) {
            min_value = value;
            memcpy(w->best, s->lambda, p->in.q * sizeof *w->best);
            w->best_move = it;
        }
        w->n_moves++;
        note(w, p->scale * s->relax.mu);
        if (node->bound < wave->incumbent) { /* without rows, length and rows taken */
            for (int i = 0; i < 3; i++) note(w, 0);
            return;
        }
        note_rows(w, w->open, s->relax.chosen, s->relax.count);
        note_presence(w);
        if (it == 0 || it == ITERATIONS - 1) try_relaxed_set(w, p, wave->m);
        const int stuck = scp_subgradient_move(s, w->floor, w->open, factor * (value - target));
        note(w, s->length);
        factor *= DECAY;
        if (fix_rows(w, wave, sum) > 0) min_value = INFINITY;
        compact(w, p);
        if (stuck) break;
    }
    if (decided(w, wave)) return;
    scp_kernels()->coverage.best(w->best, w->floor, p->in.q);
    choose_branch(w, wave);
    w->closed = 0;
}
