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

#define CHUNK 64 /* nodes of level 0 per task */

size_t scp_tree_roots(const struct scp_grid *grid) {
    return (scp_grid_cells(grid, 0) + 15) / 16 * 16;
}

size_t scp_tree_offset(const struct scp_grid *grid, size_t level) {
    return scp_grid_offset(grid, level) +
           (level ? scp_tree_roots(grid) - scp_grid_cells(grid, 0) : 0);
}

size_t scp_tree_bytes(const struct scp_grid *grid) {
    return scp_tree_offset(grid, grid->levels) * grid->channels * sizeof(int16_t) +
           scp_grid_cells(grid, 0) * sizeof(uint32_t);
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
            const float scale = n > 0 ? SCP_QUANTISED * factor : 0;
            const float *from = image->features + cell * channels;
            if (!(image->kernels->dot(from, from, channels) <= SCP_UNIT_LIMIT)) return SCP_EINVAL;
            if (d == 0) { /* pairs of channels of 16 nodes */
                int16_t *to = image->tree + node / 16 * 16 * channels + node % 16 * 2;
                for (size_t c = 0; c < channels; c++)
                    to[c / 2 * 32 + c % 2] = scp_quantise(from[c] * scale);
                continue;
            }
            int16_t *to = image->tree + (scp_tree_offset(grid, d) + node) * channels;
            for (size_t c = 0; c < channels; c++) to[c] = scp_quantise(from[c] * scale);
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
    image->roots = scp_alloc(cells, sizeof(uint32_t));
    if (!image->tree || !image->roots) return SCP_ENOMEM;
    memset(image->tree, 0, roots * grid->channels * sizeof(int16_t));
    for (size_t i = 0; i < cells; i++) image->roots[i] = (uint32_t)i;
    /* |<q,t> - int / SCALE^2| <= |dq| + |dt| + |dq||dt| with |d| <= 0.51 sqrt(C) / SCALE, plus the
     * float32 rounding of the exact value (C terms, and lengths that are 1 within 5e-4 at most). */
    const double error = 0.51 * sqrt((double)grid->channels) / SCP_QUANTISED;
    image->slack = (float)(2.002 * error + 2e-7 * (double)grid->channels);
    return scp_parallel((cells + CHUNK - 1) / CHUNK, build_task, &build, control);
}

void scp_tree_free(struct image *image) {
    scp_free(image->tree);
    scp_free(image->roots);
}
