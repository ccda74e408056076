/* Nearest mode (Eq. 7 and Eq. 8) over all cells: blocks of queries against blocks of cells, level
 * after level, with a running maximum instead of a finest map. For features too flat to prune. */
#include "dense.h"

#include <string.h>

size_t scp_dense_scratch(const struct scp_grid *grid) {
    const size_t last = grid->levels - 1;
    const size_t coarse = last ? scp_grid_cells(grid, last - 1) : 0;
    const size_t row = grid->width << last;
    return SCP_DENSE_QUERIES * (2 * coarse + row) * sizeof(float);
}

void scp_dense_nearest(float *value, int32_t *index, const struct image *image,
                       const float *queries, const float *query_norms, size_t count,
                       void *scratch) {
    const struct scp_grid *grid = &image->grid;
    const size_t channels = grid->channels, levels = grid->levels, last = levels - 1;
    const size_t coarse = last ? scp_grid_cells(grid, last - 1) : 0;
    float *parent = scratch, *map = parent + SCP_DENSE_QUERIES * coarse;
    float *row = map + SCP_DENSE_QUERIES * coarse;
    for (size_t q = 0; q < count; q++) value[q] = 0, index[q] = 0;
    for (size_t d = 0; d < levels; d++) {
        const size_t height = grid->height << d, width = grid->width << d;
        const size_t offset = scp_grid_offset(grid, d);
        for (size_t y = 0; y < height; y++) {
            const size_t first = offset + y * width;
            image->kernels->dots.block(row, width, queries + d * channels, levels * channels, count,
                                       image->features + first * channels, width, channels);
            for (size_t q = 0; q < count; q++) {
                const float *above = d ? parent + q * coarse + y / 2 * (width / 2) : NULL;
                float *out = row + q * width;
                const float row_max =
                    image->kernels->dots.combine(out, above, query_norms[q * levels + d],
                                                 image->norms + first, image->epsilon, width);
                if (d < last) {
                    memcpy(map + q * coarse + y * width, out, width * sizeof *out);
                } else if (row_max > value[q]) { /* the first place of a new maximum */
                    size_t x = 0;
                    while (out[x] != row_max) x++;
                    value[q] = row_max;
                    index[q] = (int32_t)(y * width + x);
                }
            }
        }
        float *swap = parent;
        parent = map;
        map = swap;
    }
}
