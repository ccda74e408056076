/* Winograd F(4x4, 3x3) where it pays: the product, and what it shares with the gradient of the
 * weights (conv_winograd_gradient.h). */
#ifndef SCP_NN_CONV_WINOGRAD_H
#define SCP_NN_CONV_WINOGRAD_H

#include "conv_product.h"

#define SCP_WINOGRAD 36 /* products of a tile */

struct scp_winograd_block {
    size_t image, images, y, x, height, width, tiles; /* in tiles; tiles in all */
};

/* Tiles of 4 x 4 target pixels. A block is `images` images x block_y x block_x tiles. */
struct scp_winograd_blocks {
    const struct scp_source *source;
    ptrdiff_t top, left;     /* source pixel of target (0, 0) */
    size_t tiles_y, tiles_x; /* of an image */
    size_t images, block_y, block_x;
    size_t across, down, count; /* blocks of an image row, column, and in all */
    size_t max_tiles;           /* of a block */
    size_t lanes;               /* channels in whole vectors */
    size_t tile;                /* floats from tile to tile in V */
    size_t v_step;              /* floats from one of the 36 products to the next in V */
    size_t scratch_floats;      /* that a thread needs to read a block, or more */
    float *scratch;             /* of all threads */
    float *v;                   /* wide: V of the block in work, for all threads */
    struct scp_winograd_block block;
};

/* Three taps at stride and step 1, and enough of everything. */
int scp_winograd_pays(const struct scp_axis *y, const struct scp_axis *x, size_t channels,
                      size_t outputs);
size_t scp_product_winograd_workspace(const struct scp_product *product, size_t threads);
enum scp_status scp_product_winograd(const struct scp_product *product, const struct scp_run *run);

/* Floats of one of the 36 parts of a panel of weights, and of their gradient: a line more than the
 * channels need, so that the 36 do not fall into one set of the cache. */
static inline size_t scp_winograd_step(size_t channels) {
    return channels * 16 + 16;
}

/* Tiles of a block: about `wanted`; with `wide`, as many of them as V may have there. columns: V is
 * read tile after tile in one channel, so that tiles must not fall into few sets of the cache. */
void scp_winograd_divide(struct scp_winograd_blocks *blocks, const struct scp_source *source,
                         const struct scp_axis *y, const struct scp_axis *x, size_t wanted,
                         int wide, int columns);
struct scp_winograd_block scp_winograd_block(const struct scp_winograd_blocks *blocks,
                                             size_t index);

/* V[36][tiles][tile] of a block, from channel `first` on. scratch: scratch_floats of them. */
void scp_winograd_read(float *v, const struct scp_winograd_blocks *blocks,
                       const struct scp_winograd_block *block, size_t first, size_t channels,
                       float *scratch);
/* Block after block: all threads read it to blocks->v, then the tasks run. */
enum scp_status scp_winograd_wide(struct scp_winograd_blocks *blocks, size_t tasks, scp_task run,
                                  void *context, const struct scp_control *control);

#endif
