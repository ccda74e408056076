#include "winograd.h"

void scp_winograd_divide(struct scp_winograd_blocks *b, size_t batch, const struct scp_axis *y,
                         const struct scp_axis *x, size_t channels, size_t wanted, int columns) {
    b->tiles_y = scp_ceil_div(y->count, 4);
    b->tiles_x = scp_ceil_div(x->count, 4);
    b->lanes = scp_lanes_up(channels);
    b->block_x = scp_ceil_div(b->tiles_x, scp_ceil_div(b->tiles_x, 24));
    b->block_y = scp_min(b->tiles_y, scp_max(1, wanted / b->block_x));
    b->block_y = scp_ceil_div(b->tiles_y, scp_ceil_div(b->tiles_y, b->block_y));
    b->images = 1;
    if (b->block_y == b->tiles_y && b->block_x == b->tiles_x)
        b->images = scp_max(1, scp_min(batch, wanted / (b->tiles_y * b->tiles_x)));
    b->across = scp_ceil_div(b->tiles_x, b->block_x);
    b->down = scp_ceil_div(b->tiles_y, b->block_y);
    b->count = scp_ceil_div(batch, b->images) * b->across * b->down;
    b->most = b->images * b->block_y * b->block_x;
    b->tile = b->lanes + (columns && b->lanes >= 128 ? 16 : 0);
    b->v_step = b->most * b->tile + 16; /* not a multiple of the cache's way */
    b->strip = (4 * b->block_y + 2) * (4 * b->block_x + 2) * b->lanes;
    b->rows = 96 * (4 * b->block_x + 2);
}

void scp_winograd_block(struct scp_winograd_block *block, const struct scp_winograd_blocks *b,
                        size_t batch, size_t index) {
    block->x = index % b->across * b->block_x;
    block->y = index / b->across % b->down * b->block_y;
    block->image = index / b->across / b->down * b->images;
    block->images = scp_min(b->images, batch - block->image);
    block->width = scp_min(b->block_x, b->tiles_x - block->x);
    block->height = scp_min(b->block_y, b->tiles_y - block->y);
    block->tiles = block->images * block->height * block->width;
}

void scp_winograd_read(float *v, const struct scp_winograd_blocks *b,
                       const struct scp_winograd_block *block, const struct scp_source *source,
                       size_t first, size_t channels, const struct scp_axis *y,
                       const struct scp_axis *x, const struct scp_nn_kernels *kernels,
                       float *scratch) {
    const size_t rows = 4 * block->height + 2, columns = 4 * block->width + 2;
    const size_t lanes = scp_lanes_up(channels), line = columns * lanes;
    const ptrdiff_t top = y->origin + (ptrdiff_t)(4 * block->y);
    const ptrdiff_t left = x->origin + (ptrdiff_t)(4 * block->x);
    float *strip = scratch + b->rows;
    for (size_t i = 0; i < block->images; i++) {
        for (size_t r = 0; r < rows; r++)
            scp_source_row(strip + r * line, lanes, kernels, source, block->image + i,
                           top + (ptrdiff_t)r, left, columns, first, channels);
        for (size_t t = 0; t < block->height; t++, v += block->width * b->tile)
            kernels->winograd_input(v, b->v_step, b->tile, strip + 4 * t * line, lanes, line,
                                    block->width, lanes, scratch);
    }
}

void scp_winograd_write(const struct scp_map *map, int accumulate, const float *bias, size_t panel,
                        const struct scp_winograd_block *block, const float *m, size_t m_step,
                        size_t m_tile, const struct scp_nn_kernels *kernels) {
    const size_t pixel = map->stride, line = map->width * pixel;
    const size_t count = scp_min(16, map->channels - panel * 16);
    const int narrow = pixel < scp_lanes_up(map->channels) && count < 16;
    for (size_t i = 0; i < block->images; i++)
        for (size_t ty = block->y; ty < block->y + block->height; ty++)
            for (size_t tx = block->x; tx < block->x + block->width; tx++, m += m_tile) {
                const size_t rows = scp_min(4, map->height - 4 * ty);
                const size_t columns = scp_min(4, map->width - 4 * tx);
                float *to = map->data + ((block->image + i) * map->height + 4 * ty) * line +
                            4 * tx * pixel + panel * 16;
                if (!narrow) {
                    kernels->winograd_output(to, pixel, line, rows, columns, m, m_step,
                                             accumulate ? NULL : bias);
                    continue;
                }
                float tile[16 * 16];
                kernels->winograd_output(tile, 16, 64, rows, columns, m, m_step, bias);
                for (size_t r = 0; r < rows; r++)
                    for (size_t c = 0; c < columns; c++)
                        for (size_t o = 0; o < count; o++) {
                            float *at = to + r * line + c * pixel + o;
                            *at = tile[r * 64 + c * 16 + o] + (accumulate ? *at : 0);
                        }
            }
}

void scp_winograd_read_gradient(float *w, size_t w_step, float *sums,
                                const struct scp_winograd_block *block,
                                const struct scp_source *gradient, size_t panel, float *pixels,
                                const struct scp_nn_kernels *kernels) {
    const size_t rows = 4 * block->height, columns = 4 * block->width, line = columns * 16;
    const size_t count = scp_min(16, gradient->map.channels - panel * 16);
    for (size_t i = 0; i < block->images; i++) {
        for (size_t r = 0; r < rows; r++)
            scp_source_row(pixels + r * line, 16, kernels, gradient, block->image + i,
                           (ptrdiff_t)(4 * block->y + r), (ptrdiff_t)(4 * block->x), columns,
                           panel * 16, count);
        if (sums) kernels->add(sums, pixels, rows * columns);
        for (size_t ty = 0; ty < block->height; ty++)
            for (size_t tx = 0; tx < block->width; tx++, w += 16)
                kernels->winograd_gradient(w, w_step, pixels + 4 * ty * line + 4 * tx * 16, 16,
                                           line);
    }
}

void scp_winograd_collect(float *gradients, int swap, size_t channels, size_t outputs, size_t panel,
                          const float *sums, const struct scp_nn_kernels *kernels) {
    const size_t o = panel * 16;
    float g[9 * 16];
    for (size_t k = 0; k < channels; k++) {
        kernels->winograd_collect(g, 16, sums + k * 16, scp_winograd_step(channels));
        for (size_t tap = 0; tap < 9; tap++)
            scp_gradient_add(gradients + tap * channels * outputs, g + tap * 16, k, o, channels,
                             outputs, swap);
    }
}

void scp_winograd_fetch(struct scp_fetch fetch[2], const struct scp_winograd_blocks *b,
                        const struct scp_winograd_block *block, const struct scp_source *source,
                        const struct scp_axis *y, const struct scp_axis *x) {
    scp_fetch_source(fetch, source, block->image, y->origin + (ptrdiff_t)(4 * block->y),
                     x->origin + (ptrdiff_t)(4 * block->x), 4 * block->height + 2,
                     4 * block->width + 2, 0, b->lanes / 16);
}
