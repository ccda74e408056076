#include "winograd.h"

void scp_winograd_divide(struct scp_winograd_blocks *b, size_t batch, const struct scp_axis *y,
                         const struct scp_axis *x, size_t channels, size_t wanted) {
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
    b->v_step = b->most * b->lanes + 16; /* not a multiple of the cache's way */
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
                       const struct scp_axis *y, const struct scp_axis *x,
                       const struct scp_nn_kernels *kernels, float *scratch) {
    const size_t rows = 4 * block->height + 2, columns = 4 * block->width + 2;
    const size_t line = columns * b->lanes;
    const ptrdiff_t top = y->origin + (ptrdiff_t)(4 * block->y);
    const ptrdiff_t left = x->origin + (ptrdiff_t)(4 * block->x);
    for (size_t i = 0; i < block->images; i++) {
        for (size_t r = 0; r < rows; r++)
            scp_source_row(scratch + r * line, b->lanes, kernels, source, block->image + i,
                           top + (ptrdiff_t)r, left, columns, 0, source->map.channels);
        for (size_t t = 0; t < block->height; t++, v += block->width * b->lanes)
            kernels->winograd_input(v, b->v_step, b->lanes, scratch + 4 * t * line, b->lanes, line,
                                    block->width, b->lanes, scratch + b->strip);
    }
}

void scp_winograd_fetch(struct scp_fetch fetch[2], const struct scp_winograd_blocks *b,
                        const struct scp_winograd_block *block, const struct scp_source *source,
                        const struct scp_axis *y, const struct scp_axis *x) {
    scp_fetch_source(fetch, source, block->image, y->origin + (ptrdiff_t)(4 * block->y),
                     x->origin + (ptrdiff_t)(4 * block->x), 4 * block->height + 2,
                     4 * block->width + 2, 0, b->lanes / 16);
}
