/* The quantised quadtree: what makes an upper bound cost a few cycles.
 *
 * A cell's vector is first shrunk by h = n / (n + epsilon), n = its norm times the largest query
 * norm: the factor of any query is at most that, so a bound needs no norms. Then it becomes 8-bit
 * integers, as does the query q: with the residuals q - Q and t - T,
 *     <q, t> = <Q, T> + <q - Q, T> + <q, t - T> <= <Q, T> + |q - Q| |T| + |t - T|,
 * and <Q, T> is an exact integer times a scale on every instruction set. */
#include "quadtree.h"

#include <math.h>
#include <string.h>

#include "queries.h"
#include "scp/alloc.h"

/* By level: the largest squared length of a residual. */
typedef float residuals[SCP_MATCH_MAX_LEVELS];

static size_t build_tasks(const struct scp_grid *grid) {
    return scp_tree_roots(grid) / 16 + grid->height;
}

size_t scp_tree_roots(const struct scp_grid *grid) {
    return (scp_grid_cells(grid, 0) + 15) / 16 * 16;
}

size_t scp_tree_offset(const struct scp_grid *grid, size_t level) {
    return scp_grid_offset(grid, level) +
           (level ? scp_tree_roots(grid) - scp_grid_cells(grid, 0) : 0);
}

static size_t identity_length(const struct scp_grid *grid) {
    const size_t roots = scp_tree_roots(grid);
    return roots > SCP_BEAM_ROOM ? roots : SCP_BEAM_ROOM;
}

size_t scp_tree_bytes(const struct scp_grid *grid) {
    return scp_tree_offset(grid, grid->levels) * grid->channels +
           identity_length(grid) * sizeof(uint32_t) + build_tasks(grid) * sizeof(residuals);
}

/* The largest component of a level becomes 127; in the finest, which is most of the image and
 * would have to be read once more, a component of 1 would. */
static void choose_factors(struct image *image) {
    const size_t channels = image->grid.channels;
    for (size_t d = 0; d < image->grid.levels; d++) {
        float max_abs = 1;
        if (d + 1 < image->grid.levels)
            max_abs = image->tree_kernels->max_abs(image->features + image->offset[d] * channels,
                                                   scp_grid_cells(&image->grid, d) * channels);
        image->factor[d] = 127 / (max_abs > 1e-3f && max_abs < 1 ? max_abs : 1);
    }
}

struct build_job {
    struct image *image;
    const float *max_norms;
    residuals *residual; /* [tasks] */
};

/* Quantises four cells of level d into [C / 4][4][4]; the largest squared residual. */
static enum scp_status quantise_cells(const struct build_job *build, uint8_t *out,
                                      float *max_residual, size_t d, const size_t cells[4]) {
    const struct image *image = build->image;
    const size_t channels = image->grid.channels;
    const float *vectors[4];
    float scales[4], sums[8];
    for (int i = 0; i < 4; i++) {
        const float norm = image->norms[cells[i]], n = norm * build->max_norms[d];
        if (!(norm >= 0 && norm < INFINITY)) return SCP_EINVAL;
        const float factor = n < INFINITY ? n / (n + image->epsilon) : 1; /* n may overflow */
        scales[i] = n > 0 ? image->factor[d] * factor : 0;
        vectors[i] = image->features + cells[i] * channels;
    }
    image->tree_kernels->quantise4(out, sums, vectors, scales, channels);
    for (int i = 0; i < 4; i++) {
        if (!(sums[4 + i] <= SCP_UNIT_LIMIT)) return SCP_EINVAL;
        *max_residual = sums[i] > *max_residual ? sums[i] : *max_residual;
    }
    return SCP_OK;
}

/* A group of 16 nodes of level 0; the last node fills the last group. */
static enum scp_status build_roots(const struct build_job *build, float *max_residual,
                                   size_t first) {
    const size_t last = scp_grid_cells(&build->image->grid, 0) - 1;
    const size_t channels = build->image->grid.channels;
    uint8_t *to = build->image->tree + first * channels;
    uint8_t bytes[4 * SCP_MATCH_MAX_CHANNELS];
    for (size_t root = 0; root < 16; root += 4) {
        size_t cells[4];
        for (size_t i = 0; i < 4; i++) cells[i] = first + root + i < last ? first + root + i : last;
        const enum scp_status status = quantise_cells(build, bytes, max_residual, 0, cells);
        if (status != SCP_OK) return status;
        for (size_t c = 0; c < channels; c += 4) memcpy(to + c * 16 + root * 4, bytes + c * 4, 16);
    }
    return SCP_OK;
}

/* All nodes of level d > 0 under a row of level 0, row by row: features are read as they lie. */
static enum scp_status build_below(const struct build_job *build, float *max_residual, size_t d,
                                   size_t row) {
    const struct scp_grid *grid = &build->image->grid;
    const size_t channels = grid->channels, width = grid->width << d, below = d - 1;
    const size_t cell = scp_grid_offset(grid, d) + (row << d) * width,
                 mask = ((size_t)1 << below) - 1;
    uint8_t *const to =
        build->image->tree + (scp_tree_offset(grid, d) + (row * grid->width << 2 * d)) * channels;
    for (size_t y = 0; y <= mask; y++)
        for (size_t x = 0; x < width / 2; x++) {
            const size_t at = cell + 2 * (y * width + x);
            const size_t cells[4] = {at, at + 1, at + width, at + width + 1};
            const size_t node = ((x >> below) << 2 * below) + scp_tree_node(y, x & mask);
            const enum scp_status status =
                quantise_cells(build, to + 4 * node * channels, max_residual, d, cells);
            if (status != SCP_OK) return status;
        }
    return SCP_OK;
}

/* First some of level 0, then all below its rows. */
static enum scp_status build_task(void *context, size_t task, size_t worker) {
    const struct build_job *build = context;
    const struct scp_grid *grid = &build->image->grid;
    const size_t groups = scp_tree_roots(grid) / 16;
    float *max_residual = build->residual[task];
    (void)worker;
    if (task < groups) return build_roots(build, &max_residual[0], task * 16);
    enum scp_status status = SCP_OK;
    for (size_t d = 1; d < grid->levels && status == SCP_OK; d++)
        status = build_below(build, &max_residual[d], d, task - groups);
    return status;
}

enum scp_status scp_tree_build(struct image *image, const float *max_norms,
                               const struct scp_control *control) {
    const struct scp_grid *grid = &image->grid;
    const size_t n = build_tasks(grid);
    struct build_job build = {image, max_norms, scp_calloc(n, sizeof *build.residual)};
    enum scp_status status = SCP_ENOMEM;
    image->tree = scp_alloc(scp_tree_offset(grid, grid->levels), grid->channels);
    image->identity = scp_alloc(identity_length(grid), sizeof(uint32_t));
    if (!image->tree || !image->identity || !build.residual) goto end;
    for (size_t i = 0; i < identity_length(grid); i++) image->identity[i] = (uint32_t)i;
    for (size_t d = 0; d < grid->levels; d++) {
        image->offset[d] = (uint32_t)scp_grid_offset(grid, d);
        image->level[d] = image->tree + scp_tree_offset(grid, d) * grid->channels;
    }
    choose_factors(image);
    status = scp_parallel(n, build_task, &build, control);
    for (size_t d = 0; d < grid->levels; d++) {
        float square = 0;
        for (size_t t = 0; t < n; t++)
            square = build.residual[t][d] > square ? build.residual[t][d] : square;
        image->residual[d] = sqrtf(square) * 1.0001f / image->factor[d];
    }
end:
    scp_free(build.residual);
    return status;
}

void scp_tree_query(struct scp_tree_query *out, const struct image *image,
                    const struct query *query, size_t level) {
    const size_t channels = image->grid.channels;
    const struct quantisation *scaling = &query->scaling[level];
    const float residual = image->residual[level];
    out->vector = query->quantised + level * channels;
    out->sum = scaling->sum;
    out->scale = scaling->unit / image->factor[level];
    /* the float32 rounding of the exact value (C terms, and lengths that are 1 within 5e-4 at
     * most) and of the bound */
    out->slack =
        scaling->residual * (1.001f + residual) + 1.001f * residual + 4e-7f * (float)channels;
}

void scp_tree_free(struct image *image) {
    scp_free(image->tree);
    scp_free(image->identity);
}
