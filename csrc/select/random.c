/* The paper's random search for Eq. 10: many random sets, keep the best.
 *
 * All draws are scored in float32 with a proven error margin, block of clients by block of clients
 * so that a block of all rows stays in cache; then, in draw order, only a draw that could
 * beat the best so far is scored again exactly. */
#include "rules.h"
#include "score.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/random.h"
#include "../kernels/kernels.h"

#define CLIENTS 256                    /* per block: 150 rows of it are 150 KiB */
#define DRAWS 2048                     /* per task, at most */
#define PICKS ((size_t)1 << 20)        /* rows of them, about: 4 MiB */
#define TASKS 16                       /* per batch */
#define DEVICE_DRAWS ((size_t)1 << 18) /* per batch, where a device draws */
#define GIVEN_UP UINT32_MAX            /* instead of a count */
#define MAX_TRIALS 100                 /* of each kind, per draw */

struct batch {
    const struct scp_select *p;
    uint32_t *sets;    /* [TASKS * per_task][width] */
    uint32_t *counts;  /* [TASKS * per_task]; or GIVEN_UP */
    double *sums;      /* [TASKS * per_task] screen sums */
    uint32_t *scratch; /* [TASKS][2][n] */
    size_t m, width, per_task, draws, first, end;
    uint64_t seed;
    const struct scp_control *control;
    int on_device; /* sums holds scores; the device has the draws of problems without rules */
};

static int device_draws(const struct scp_select *p, size_t m) {
    return p->device && m != SCP_SELECT_ANY && scp_rules_trivial(p);
}

/* The included rows, then rows one by one, each uniform among those still allowed. */
static size_t pick_row_by_row(const struct batch *r, uint32_t *set, struct scp_rng *rng,
                              uint32_t *allowed) {
    const struct scp_select *p = r->p;
    size_t count = p->n_included, n_allowed = p->n_open;
    memcpy(set, p->included, count * sizeof *set);
    memcpy(allowed, p->open, n_allowed * sizeof *allowed);
    while (count < r->m) {
        size_t kept = 0;
        if (scp_poll(r->control, r->first, r->draws) != SCP_OK) break;
        for (size_t i = 0; i < n_allowed; i++)
            if (scp_rules_allow(p, set, count, allowed[i])) allowed[kept++] = allowed[i];
        n_allowed = kept;
        if (n_allowed == 0) break;
        set[count++] = allowed[scp_rng_below(rng, (uint32_t)n_allowed)];
    }
    return count;
}

/* *count: the rows of the draw in set, or GIVEN_UP. */
static enum scp_status draw(const struct batch *r, uint32_t *set, uint32_t *count, uint64_t stream,
                            uint32_t *scratch) {
    const struct scp_select *p = r->p;
    const int any = r->m == SCP_SELECT_ANY, trivial = scp_rules_trivial(p);
    struct scp_rng rng;
    scp_rng_init(&rng, r->seed, stream);
    *count = (uint32_t)r->m;
    for (int trial = 0; !any && trial < MAX_TRIALS; trial++) {
        const size_t extra = r->m - p->n_included;
        memcpy(set, p->included, p->n_included * sizeof *set);
        uint32_t *drawn = set + p->n_included;
        const enum scp_status status =
            scp_rng_subset(&rng, drawn, (uint32_t)extra, (uint32_t)p->n_open, r->control);
        if (status != SCP_OK) return status;
        for (size_t k = 0; k < extra; k++) drawn[k] = p->open[drawn[k]];
        if (p->n_included) scp_sort_set(set, r->m);
        if (trivial || !scp_select_violates(p, set, r->m)) return SCP_OK;
        if (scp_poll(r->control, r->first, r->draws) != SCP_OK) return SCP_EINTERRUPTED;
    }
    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        const size_t picked = pick_row_by_row(r, scratch, &rng, scratch + p->in.n);
        if (scp_poll(r->control, r->first, r->draws) != SCP_OK) return SCP_EINTERRUPTED;
        if (!any && picked != r->m) continue;
        if (scp_select_violates(p, scratch, picked)) continue; /* included rows may clash */
        memcpy(set, scratch, picked * sizeof *set);
        scp_sort_set(set, picked);
        *count = (uint32_t)picked;
        return SCP_OK;
    }
    *count = GIVEN_UP;
    return SCP_OK;
}

static enum scp_status score_draws(void *context, size_t task, size_t worker) {
    const struct batch *r = context;
    const struct scp_select *p = r->p;
    const size_t at = task * r->per_task, left = r->end - r->first - at;
    const size_t size = left < r->per_task ? left : r->per_task;
    uint32_t *sets = r->sets + at * r->width;
    double *sums = r->sums + at;
    (void)worker;
    for (size_t i = 0; i < size; i++) {
        uint32_t *set = sets + i * r->width, *count = r->counts + at + i;
        const enum scp_status status =
            draw(r, set, count, r->first + at + i, r->scratch + task * 2 * p->in.n);
        if (status != SCP_OK) return status;
        for (size_t k = *count == GIVEN_UP ? 0 : *count; k < r->width; k++)
            set[k] = k > 0 ? set[0] : p->candidates[0]; /* repeats are harmless */
        sums[i] = 0;
    }
    for (size_t q = 0; !r->on_device && q < p->in.q; q += CLIENTS) {
        const size_t clients = p->in.q - q < CLIENTS ? p->in.q - q : CLIENTS;
        scp_kernels()->coverage.draws(sums, p->screen_base + q, p->screen + q, p->in.q, clients,
                                      sets, r->width, size);
        if (scp_poll(r->control, r->first, r->draws) != SCP_OK) return SCP_EINTERRUPTED;
    }
    return SCP_OK;
}

static enum scp_status score_on_device(struct batch *r, size_t size) {
    const struct scp_select *p = r->p;
    const struct scp_cuda_draws draws = {.open = p->open,
                                         .included = p->included,
                                         .n_open = p->n_open,
                                         .n_included = p->n_included,
                                         .m = r->m,
                                         .seed = r->seed,
                                         .first = r->first,
                                         .count = size};
    return p->cuda->score_draws(p->device, r->sums, &draws);
}

/* Scores of a batch, in sums: from the device, or screened here. */
static enum scp_status score_batch(struct batch *r, const struct scp_control *control) {
    const struct scp_select *p = r->p;
    const size_t size = r->end - r->first;
    if (device_draws(p, r->m)) return score_on_device(r, size);
    const enum scp_status status =
        scp_parallel((size + r->per_task - 1) / r->per_task, score_draws, r, control);
    if (status != SCP_OK || !r->on_device) return status;
    return p->cuda->score_sets(p->device, r->sums, r->sets, r->width, size);
}

/* Draw number i of this batch: its score, and its rows in *set. */
static double exact_score(const struct batch *r, size_t i, const uint32_t **set) {
    *set = r->sets + i * r->width;
    if (!r->on_device) return scp_select_score(r->p, *set, r->counts[i]);
    if (r->counts[i] == 0 && r->p->n_initial == 0) return 0;
    return r->sums[i];
}

/* The largest number of rows any feasible set can have under the budget alone. */
static size_t widest(const struct scp_select *p) {
    double spent = 0;
    size_t count = 0;
    while (count < p->n_candidates && (spent += p->in.costs[p->by_cost[count]]) <= p->budget)
        count++;
    return count + 1 < p->n_candidates ? count + 1 : p->n_candidates; /* order of sums may differ */
}

/* The best set of the draws so far. */
struct best_draw {
    uint32_t *set;
    size_t *count;
    double score;
    int found;
};

/* In draw order: exact scores of the draws of this batch that may beat the best so far. *next: the
 * first checkpoint not passed. */
static enum scp_status keep_best(struct best_draw *best, const struct batch *r, double *prefix,
                                 const struct scp_select_draws *draws, size_t *next) {
    const struct scp_select *p = r->p;
    const double margin = ((double)CLIENTS / 64 + 14) * 0x1p-24 * p->size + 2 * p->screen_error;
    const int drawn = !device_draws(p, r->m);
    for (size_t i = 0; i < r->end - r->first; i++) {
        const uint32_t *set;
        if (!drawn) {
            if (!best->found || r->sums[i] > best->score) {
                best->found = 1;
                best->score = r->sums[i];
                uint32_t m;
                const enum scp_status status = draw(r, best->set, &m, r->first + i, r->scratch);
                if (status != SCP_OK) return status;
                *best->count = m;
            }
        } else if (r->counts[i] != GIVEN_UP &&
                   (!best->found || r->on_device || p->scale * r->sums[i] + margin > best->score)) {
            const double score = exact_score(r, i, &set);
            if (!best->found || score > best->score) {
                best->found = 1;
                best->score = score;
                *best->count = r->counts[i];
                memcpy(best->set, set, r->counts[i] * sizeof *best->set);
            }
        }
        while (*next < draws->n_checkpoints && draws->checkpoints[*next] == r->first + i + 1)
            prefix[(*next)++] = best->found ? best->score : -INFINITY;
    }
    return SCP_OK;
}

enum scp_status scp_select_random(uint32_t *set, size_t *count, double *prefix,
                                  const struct scp_select *p, size_t m,
                                  const struct scp_select_draws *draws,
                                  const struct scp_control *control) {
    const int any = m == SCP_SELECT_ANY;
    if (draws->count == 0) return scp_invalid(control, "draws", SCP_WHOLE, "must be above 0");
    const size_t *points = draws->checkpoints;
    for (size_t i = 0; i < draws->n_checkpoints; i++)
        if (points[i] > draws->count || points[i] <= (i ? points[i - 1] : 0))
            return scp_invalid(control, "checkpoints", i, "must ascend within 1 to draws");
    if ((any && !p->in.costs) || p->n_candidates == 0 || (!any && m > p->n_candidates) ||
        (!any && m < p->n_included))
        return SCP_EINFEASIBLE;
    enum scp_status status = SCP_ENOMEM;
    struct batch r = {.p = p,
                      .m = m,
                      .seed = draws->seed,
                      .draws = draws->count,
                      .control = control,
                      .on_device = p->device != NULL};
    struct best_draw best = {.set = set, .count = count};
    size_t cells, next = 0;
    r.scratch = scp_alloc(p->in.n, 2 * TASKS * sizeof *r.scratch);
    if (!r.scratch) goto out;
    r.width = any ? widest(p) : m;
    if (r.width == 0) r.width = 1;
    r.per_task = PICKS / r.width + 1 < DRAWS ? PICKS / r.width + 1 : DRAWS;
    const size_t room = device_draws(p, m) ? DEVICE_DRAWS : TASKS * r.per_task;
    const size_t size = draws->count < room ? draws->count : room;
    if (scp_size_mul(device_draws(p, m) ? 1 : size, r.width, &cells)) goto out;
    r.sets = scp_alloc(cells, sizeof *r.sets);
    r.counts = scp_alloc(size, sizeof *r.counts);
    r.sums = scp_alloc(size, sizeof *r.sums);
    if (!r.sets || !r.counts || !r.sums) goto out;
    for (r.first = 0; r.first < draws->count; r.first = r.end) {
        r.end = draws->count - r.first < size ? draws->count : r.first + size;
        if (scp_poll(control, r.first, draws->count) != SCP_OK) {
            status = SCP_EINTERRUPTED;
            goto out;
        }
        status = score_batch(&r, control);
        if (status != SCP_OK) goto out;
        status = keep_best(&best, &r, prefix, draws, &next);
        if (status != SCP_OK) goto out;
    }
    status = best.found ? SCP_OK : SCP_EINFEASIBLE;
out:
    scp_free(r.sets);
    scp_free(r.counts);
    scp_free(r.sums);
    scp_free(r.scratch);
    return status;
}
