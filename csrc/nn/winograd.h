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
    size_t tile;                /* floats from tile to tile in V */
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

/* wanted: tiles of a block, about. columns: V is read tile after tile in one channel, so that tiles
 * must not fall into few sets of the cache. */
void scp_winograd_divide(struct scp_winograd_blocks *blocks, size_t batch, const struct scp_axis *y,
                         const struct scp_axis *x, size_t channels, size_t wanted, int columns);
void scp_winograd_block(struct scp_winograd_block *block, const struct scp_winograd_blocks *blocks,
                        size_t batch, size_t index);

/* V[36][tiles][tile] of a block, or its channels first .. first + channels - 1 (as scp_source_row):
 * v begins at channel `first`. scratch: rows + strip floats. */
void scp_winograd_read(float *v, const struct scp_winograd_blocks *blocks,
                       const struct scp_winograd_block *block, const struct scp_source *source,
                       size_t first, size_t channels, const struct scp_axis *y,
                       const struct scp_axis *x, const struct scp_nn_kernels *kernels,
                       float *scratch);

/* Writes 16 outputs of every tile of a block from M: element i of tile t lies at i * m_step +
 * t * m_tile. bias: of these 16; not used when the outputs are added. */
void scp_winograd_write(const struct scp_map *target, int accumulate, const float *bias,
                        size_t panel, const struct scp_winograd_block *block, const float *m,
                        size_t m_step, size_t m_tile, const struct scp_nn_kernels *kernels);

/* W[36][tiles][16] of one panel of the gradient at the outputs, and (sums not NULL) the sums of its
 * pixels, added. pixels: room for those of an image of the block. */
void scp_winograd_read_gradient(float *w, size_t w_step, float *sums,
                                const struct scp_winograd_block *block,
                                const struct scp_source *gradient, size_t panel, float *pixels,
                                const struct scp_nn_kernels *kernels);

/* gradients[tap][channels][outputs] (swap: [tap][outputs][channels]) += G^T dU G of one panel. */
void scp_winograd_collect(float *gradients, int swap, size_t channels, size_t outputs, size_t panel,
                          const float *sums, const struct scp_nn_kernels *kernels);

/* What scp_winograd_read of that block will read (of its first image). */
void scp_winograd_fetch(struct scp_fetch fetch[2], const struct scp_winograd_blocks *blocks,
                        const struct scp_winograd_block *block, const struct scp_source *source,
                        const struct scp_axis *y, const struct scp_axis *x);

/* ---- winograd_wide.c, winograd_wide_correlate.c: the same two sums where the transformed weights
 * exceed the caches. scp_winograd and scp_winograd_correlate call them. ---- */

/* Whether that pays: the gradient sooner, whose sums are read, added to and written again. */
int scp_winograd_wide(size_t channels, size_t outputs);
int scp_winograd_wide_gradient(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                               size_t channels, size_t outputs);
/* Blocks, and the floats of scratch that a thread needs for scp_winograd_wide_read. */
size_t scp_winograd_wide_divide(struct scp_winograd_blocks *blocks, size_t batch,
                                const struct scp_axis *y, const struct scp_axis *x, size_t channels,
                                int columns);
/* scp_winograd_read by all threads. */
enum scp_status scp_winograd_wide_read(float *v, const struct scp_winograd_blocks *blocks,
                                       const struct scp_winograd_block *block,
                                       const struct scp_source *source, const struct scp_axis *y,
                                       const struct scp_axis *x,
                                       const struct scp_nn_kernels *kernels, float *scratch,
                                       size_t scratch_floats, const struct scp_control *control);
size_t scp_winograd_wide_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                                   size_t channels, size_t outputs, size_t threads);
enum scp_status scp_winograd_wide_product(const struct scp_map *target, int accumulate,
                                          const struct scp_source *source, const struct scp_axis *y,
                                          const struct scp_axis *x, const float *weights,
                                          size_t kernel_x, int swap, const float *bias,
                                          float *workspace, const struct scp_control *control);
size_t scp_winograd_wide_correlate_workspace(size_t batch, const struct scp_axis *y,
                                             const struct scp_axis *x, size_t channels,
                                             size_t outputs, size_t threads);
enum scp_status scp_winograd_wide_correlate(float *gradients, int swap, float *bias_grads,
                                            const struct scp_source *source,
                                            const struct scp_source *fixed,
                                            const struct scp_axis *y, const struct scp_axis *x,
                                            float *workspace, const struct scp_control *control);

#endif
