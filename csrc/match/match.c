/* scp_match: checks and prepares the image, chooses a path, and spreads queries over threads. */
#include "scp/match.h"

#include <math.h>
#include <string.h>

#include "bilinear.h"
#include "dense.h"
#include "quadtree.h"
#include "queries.h"
#include "scp/alloc.h"
#include "search.h"

#define BLOCK 32         /* queries per task; a multiple of SCP_DENSE_QUERIES */
#define SAMPLE 32        /* queries that decide the path, one task */
#define DENSE_SHARE 0.25 /* search visits more than this share of all cells: dense is faster */

struct match_job {
    struct image image;
    const struct scp_queries *queries;
    size_t count, stride; /* queries answered, and the distance between them */
    enum scp_match_path path;
    float *value;
    int32_t *index;
    uint64_t *dots; /* [tasks] */
    char *scratch;
    size_t scratch_bytes;
    uint32_t *stamps;   /* [workers] */
    float *bound_share; /* of a sample: see scp_search_nearest */
};

static enum scp_status match_block(void *context, size_t task, size_t worker) {
    struct match_job *w = context;
    const struct scp_queries *all = w->queries;
    const size_t levels = all->levels;
    const size_t first = task * BLOCK, last = first + BLOCK < w->count ? first + BLOCK : w->count;
    void *scratch = w->scratch + worker * w->scratch_bytes;
    const int dense = w->path == SCP_MATCH_DENSE;
    if (dense && w->image.mode == SCP_NEAREST) {
        for (size_t q = first; q < last; q += SCP_DENSE_QUERIES) {
            const size_t n = last - q < SCP_DENSE_QUERIES ? last - q : SCP_DENSE_QUERIES;
            float value[SCP_DENSE_QUERIES];
            int32_t index[SCP_DENSE_QUERIES];
            scp_dense_nearest(value, index, &w->image, all->vectors + q * levels * all->channels,
                              all->norms + q * levels, n, scratch);
            for (size_t i = 0; i < n; i++) {
                w->value[all->order[q + i]] = value[i];
                w->index[all->order[q + i]] = index[i];
            }
            w->dots[task] += n * scp_grid_offset(&w->image.grid, levels);
        }
        return SCP_OK;
    }
    if (w->image.mode == SCP_NEAREST) {
        struct query queries[BLOCK];
        for (size_t q = first; q < last; q++) queries[q - first] = scp_query(all, q * w->stride);
        scp_search_nearest(w->value, w->index, &w->dots[task], w->bound_share, &w->image, queries,
                           last - first, scratch);
        return SCP_OK;
    }
    for (size_t q = first; q < last; q++) {
        const struct query query = scp_query(all, q * w->stride);
        if (++w->stamps[worker] == 0) { /* wrapped round: forget the old stamps */
            memset(scratch, 0, w->scratch_bytes);
            w->stamps[worker] = 1;
        }
        scp_search_bilinear(w->value + query.number, w->index + query.number, &w->dots[task],
                            &w->image, &query, scratch, w->stamps[worker], dense);
    }
    return SCP_OK;
}

static enum scp_status match_all(struct match_job *w, uint64_t *dots,
                                 const struct scp_control *control) {
    const size_t tasks = (w->count + BLOCK - 1) / BLOCK;
    *dots = 0;
    memset(w->dots, 0, tasks * sizeof *w->dots);
    const enum scp_status status = scp_parallel(tasks, match_block, w, control);
    for (size_t t = 0; t < tasks; t++) *dots += w->dots[t];
    return status;
}

/* The share of a level's largest bound above which the beam expands: that of the value that will be
 * found, as a sample had it. A little less is right when queries differ in it, and some of the
 * largest bounds are always worth expanding. */
static float beam_share_of(float bound_share) {
    const float share = 1 - 1.2f * (1 - bound_share);
    return share > 0.4f ? share : 0.4f;
}

_Static_assert(SAMPLE <= BLOCK, "one task adds to bound_share");

/* Counts, not seconds, decide: the same path on every machine. */
static enum scp_status choose_path(struct match_job *w, const struct scp_control *control) {
    struct match_job sample = *w;
    uint64_t dots;
    sample.path = SCP_MATCH_SEARCH;
    float bound_share[SCP_MATCH_MAX_LEVELS] = {0};
    sample.bound_share = bound_share;
    sample.stride = w->count / SAMPLE;
    sample.count = SAMPLE;
    const enum scp_status status = match_all(&sample, &dots, control);
    if (w->image.mode == SCP_NEAREST)
        for (size_t d = 0; d + 1 < w->image.grid.levels; d++)
            w->image.beam_share[d] = beam_share_of(bound_share[d] / (float)sample.count);
    const double cells = (double)scp_grid_offset(&w->image.grid, w->image.grid.levels);
    const int flat = (double)dots > DENSE_SHARE * cells * (double)sample.count;
    w->path = flat ? SCP_MATCH_DENSE : SCP_MATCH_SEARCH;
    return status;
}

static size_t round_up(size_t bytes) {
    return (bytes + SCP_ALIGNMENT - 1) / SCP_ALIGNMENT * SCP_ALIGNMENT;
}

static size_t worker_bytes(const struct scp_grid *grid, enum scp_match_mode mode) {
    size_t bytes = scp_search_scratch(grid);
    const size_t dense = scp_dense_scratch(grid);
    if (mode == SCP_BILINEAR) return round_up(scp_bilinear_scratch(grid));
    return round_up(bytes > dense ? bytes : dense);
}

size_t scp_match_bytes(const struct scp_grid *grid, enum scp_match_mode mode, size_t threads) {
    return scp_tree_bytes(grid) + threads * worker_bytes(grid, mode);
}

enum scp_status scp_match(float *value, int32_t *index, struct scp_match_stats *stats,
                          const struct scp_pyramid *pyramid, const struct scp_queries *queries,
                          const struct scp_match_options *options,
                          const struct scp_control *control) {
    const struct scp_grid *grid = &pyramid->grid;
    enum scp_status status = scp_grid_check(grid, control);
    const size_t n_queries = queries->count;
    struct match_job w = {.image = {.grid = *grid,
                                    .features = pyramid->features,
                                    .norms = pyramid->norms,
                                    .epsilon = options->epsilon,
                                    .mode = options->mode,
                                    .kernels = scp_kernels(),
                                    .tree_kernels = &scp_kernels()->tree},
                          .queries = queries,
                          .count = n_queries,
                          .stride = 1,
                          .path = options->path,
                          .value = value,
                          .index = index};
    for (size_t d = 0; d < SCP_MATCH_MAX_LEVELS; d++) w.image.beam_share[d] = 0.5f;
    *stats = (struct scp_match_stats){0};
    if (status != SCP_OK) return status;
    if (queries->levels != grid->levels || queries->channels != grid->channels)
        return scp_invalid(control, "queries", SCP_WHOLE,
                           "must have the grid's levels and channels");
    if (!(options->epsilon >= 0 && options->epsilon < INFINITY))
        return scp_invalid(control, "epsilon", SCP_WHOLE, "must be finite and >= 0");
    if (n_queries == 0) return SCP_OK;

    const size_t threads = scp_threads();
    w.scratch_bytes = worker_bytes(grid, options->mode);
    w.scratch = options->mode == SCP_BILINEAR ? scp_calloc(threads, w.scratch_bytes)
                                              : scp_alloc(threads, w.scratch_bytes);
    w.dots = scp_alloc((n_queries + BLOCK - 1) / BLOCK, sizeof *w.dots);
    w.stamps = scp_calloc(threads, sizeof *w.stamps);
    if (!w.scratch || !w.dots || !w.stamps) {
        status = SCP_ENOMEM;
        goto end;
    }
    if (w.path == SCP_MATCH_AUTO && n_queries <= SAMPLE)
        w.path = SCP_MATCH_SEARCH; /* the sample would answer them all */
    status = scp_tree_build(&w.image, queries->max_norms, control);
    if (status == SCP_EINVAL)
        scp_name_vectors(control, "features", "norms", pyramid->norms,
                         scp_grid_offset(grid, grid->levels));
    if (status == SCP_OK && w.path == SCP_MATCH_AUTO) status = choose_path(&w, control);
    if (status == SCP_OK) status = match_all(&w, &stats->dots, control);
    stats->brute = (uint64_t)n_queries * scp_grid_offset(grid, grid->levels);
    stats->dense = w.path == SCP_MATCH_DENSE;
end:
    scp_tree_free(&w.image);
    scp_free(w.scratch);
    scp_free(w.dots);
    scp_free(w.stamps);
    return status;
}
