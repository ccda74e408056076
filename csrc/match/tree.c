/* The quantised quadtree: what makes an upper bound cost a few cycles.
 *
 * A unit vector becomes int16 with scale 32700, so a dot product of two is an exact integer below
 * 2^31 (Cauchy-Schwarz) on every instruction set. A cell's vector is first shrunk by
 * h = n / (n + epsilon), n = its norm times the largest query norm: the factor of any query is at
 * most that, so the integer product bounds the similarity from above without reading norms. */
#include "match.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"

#define SCALE 32700.0f /* leaves room for vectors that are unit only within rounding */
#define CHUNK 64       /* nodes of level 0 per task */

size_t scp_tree_roots(const struct scp_grid *grid) {
    return (scp_grid_cells(grid, 0) + 3) / 4 * 4;
}

size_t scp_tree_offset(const struct scp_grid *grid, size_t level) {
    return scp_grid_offset(grid, level) +
           (level ? scp_tree_roots(grid) - scp_grid_cells(grid, 0) : 0);
}

size_t scp_tree_bytes(const struct scp_grid *grid) {
    return scp_tree_offset(grid, grid->levels) * grid->channels * sizeof(int16_t) +
           scp_tree_roots(grid) / 4 * (sizeof(float) + sizeof(uint32_t));
}

void scp_tree_place(const struct scp_grid *grid, size_t level, size_t node, size_t *y, size_t *x) {
    const size_t root = node >> 2 * level;
    size_t row = root / grid->width, column = root % grid->width;
    for (size_t d = level; d-- > 0;) {
        const size_t child = node >> 2 * d & 3;
        row = 2 * row + (child >> 1);
        column = 2 * column + (child & 1);
    }
    *y = row;
    *x = column;
}

/* Rounds to the nearest integer, within 0.51, by truncation of a positive number. */
static inline int16_t quantise(float x) {
    return (int16_t)((int)(x + 32768.5f) - 32768);
}

void scp_tree_query(int16_t *out, const float *query, size_t levels, size_t channels) {
    for (size_t i = 0; i < levels * channels; i++) out[i] = quantise(query[i] * SCALE);
}

struct build {
    struct image *image;
    const float *largest;
};

static enum scp_status build_task(void *context, size_t task, size_t worker) {
    const struct build *build = context;
    struct image *image = build->image;
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, roots = grid->height * grid->width;
    const size_t first = task * CHUNK, last = first + CHUNK < roots ? first + CHUNK : roots;
    (void)worker;
    for (size_t d = 0; d < grid->levels; d++) {
        const size_t offset = scp_grid_offset(grid, d), width = grid->width << d;
        for (size_t node = first << 2 * d; node < last << 2 * d; node++) {
            size_t y, x;
            scp_tree_place(grid, d, node, &y, &x);
            const size_t cell = offset + y * width + x;
            const float norm = image->norms[cell], n = norm * build->largest[d];
            if (!(norm >= 0 && norm < INFINITY)) return SCP_EINVAL;
            const float factor = n < INFINITY ? n / (n + image->epsilon) : 1; /* n may overflow */
            const float scale = n > 0 ? SCALE * factor : 0;
            const float *from = image->features + cell * channels;
            int16_t *to = image->tree + (scp_tree_offset(grid, d) + node) * channels;
            if (!(image->kernels->dot(from, from, channels) <= SCP_UNIT_LIMIT)) return SCP_EINVAL;
            for (size_t c = 0; c < channels; c++) to[c] = quantise(from[c] * scale);
        }
    }
    return SCP_OK;
}

enum scp_status scp_tree_build(struct image *image, const float *largest,
                               const struct scp_control *control) {
    const struct scp_grid *grid = &image->grid;
    struct build build = {image, largest};
    const size_t cells = scp_grid_cells(grid, 0), roots = scp_tree_roots(grid);
    image->tree = scp_alloc(scp_tree_offset(grid, grid->levels) * grid->channels, sizeof(int16_t));
    image->root_bounds = scp_alloc(roots / 4, sizeof(float));
    image->root_parents = scp_alloc(roots / 4, sizeof(uint32_t));
    if (!image->tree || !image->root_bounds || !image->root_parents) return SCP_ENOMEM;
    memset(image->tree + cells * grid->channels, 0,
           (roots - cells) * grid->channels * sizeof(int16_t));
    for (size_t i = 0; i < roots / 4; i++) {
        image->root_bounds[i] = 1;
        image->root_parents[i] = (uint32_t)i;
    }
    /* |<q,t> - int / SCALE^2| <= |dq| + |dt| + |dq||dt| with |d| <= 0.51 sqrt(C) / SCALE, plus the
     * float32 rounding of the exact value (C terms, and lengths that are 1 within 5e-4 at most). */
    const double error = 0.51 * sqrt((double)grid->channels) / SCALE;
    image->slack = (float)(2.002 * error + 2e-7 * (double)grid->channels);
    return scp_parallel((cells + CHUNK - 1) / CHUNK, build_task, &build, control);
}

void scp_tree_free(struct image *image) {
    scp_free(image->tree);
    scp_free(image->root_bounds);
    scp_free(image->root_parents);
}
