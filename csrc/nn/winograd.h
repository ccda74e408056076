/* Blocks of Winograd tiles: what the product and the weight gradient share. */
#ifndef SCP_NN_WINOGRAD_H
#define SCP_NN_WINOGRAD_H

#include "conv_parts.h"

#define SCP_WINOGRAD 36 /* products of a tile */

/* Tiles of 4 x 4 target pixels. A block is `images` images x block_y x block_x tiles. */
struct scp_winograd_blocks {
    size_t tiles_y, tiles_x; /* of an image */
    size_t images, block_y, block_x;
    size_t across, down, count; /* blocks of an image row, column, and in all */
    size_t most;                /* tiles of a block */
    size_t lanes;               /* channels in whole vectors */
    size_t v_step;              /* floats from one of the 36 products to the next in V */
    size_t strip, rows;         /* floats of the strip of source pixels, and of the row scratch */
};

struct scp_winograd_block {
    size_t image, images, y, x, height, width, tiles; /* in tiles; tiles in all */
};

/* Floats of one of the 36 parts of a panel of weights, and of their gradient: a line more than the
 * channels need, so that the 36 do not fall into one set of the cache. */
static inline size_t scp_winograd_step(size_t channels) {
    return channels * 16 + 16;
}

/* wanted: tiles of a block, about. */
void scp_winograd_divide(struct scp_winograd_blocks *blocks, size_t batch, const struct scp_axis *y,
                         const struct scp_axis *x, size_t channels, size_t wanted);
void scp_winograd_block(struct scp_winograd_block *block, const struct scp_winograd_blocks *blocks,
                        size_t batch, size_t index);

/* V[36][tiles][lanes] of a block. scratch: strip + rows floats. */
void scp_winograd_read(float *v, const struct scp_winograd_blocks *blocks,
                       const struct scp_winograd_block *block, const struct scp_source *source,
                       const struct scp_axis *y, const struct scp_axis *x,
                       const struct scp_nn_kernels *kernels, float *scratch);

/* What scp_winograd_read of that block will read (of its first image). */
void scp_winograd_fetch(struct scp_fetch fetch[2], const struct scp_winograd_blocks *blocks,
                        const struct scp_winograd_block *block, const struct scp_source *source,
                        const struct scp_axis *y, const struct scp_axis *x);

#endif
