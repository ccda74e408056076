/* Winograd's F(4x4, 3x3) and F(4x4, 2x2) where they pay: the product, and what it shares with the
 * gradient of the weights (conv_winograd_gradient.h).
 *
 * Two taps are those of a 4 x 4 convolution at stride 2: a product that writes its dense side has
 * two for each phase of the target; one that writes the coarse side is the sum of four, each over
 * every second pixel of the source. These four "parts" are more channels of one product here. */
#ifndef SCP_NN_CONV_WINOGRAD_H
#define SCP_NN_CONV_WINOGRAD_H

#include "../kernels/kernels.h"
#include "conv_product.h"

#define SCP_WINOGRAD 36 /* products of a tile at most */

struct scp_winograd_form {
    size_t taps;           /* 3 or 2, of a part along an axis */
    size_t apart;          /* parts along an axis: pixels of a part are so far from each other */
    size_t parts;          /* in all */
    size_t side, products; /* of a tile: 6 and 36, or 5 and 25 */
    size_t all;            /* taps of the kernel along an axis: taps * apart */
};

struct scp_winograd_block {
    size_t image, images, y, x, height, width, tiles; /* in tiles; tiles in all */
};

/* Tiles of 4 x 4 target pixels. A block is `images` images x block_y x block_x tiles. */
struct scp_winograd_blocks {
    const struct scp_source *source;
    struct scp_winograd_form form;
    ptrdiff_t top, left;     /* source pixel of target (0, 0) */
    size_t tiles_y, tiles_x; /* of an image */
    size_t images, block_y, block_x;
    size_t across, down, count; /* blocks of an image row, column, and in all */
    size_t max_tiles;           /* of a block */
    size_t lanes;               /* channels in whole vectors, of a part */
    size_t tile;                /* floats from tile to tile in V: the parts, one after the other */
    size_t v_step;              /* floats from one of the products to the next in V */
    size_t scratch_floats;      /* that a thread needs to read a block, or more */
    float *scratch;             /* of all threads */
    float *v;                   /* wide: V of the block in work, for all threads */
    struct scp_winograd_block block;
};

struct scp_winograd_form scp_winograd_form(const struct scp_axis *axis);
/* Three taps at stride 1, or two for each pixel of the stride; and enough of everything. */
int scp_winograd_pays(const struct scp_axis *y, const struct scp_axis *x, size_t channels,
                      size_t outputs);
size_t scp_product_winograd_workspace(const struct scp_product *product, size_t threads);
enum scp_status scp_product_winograd(const struct scp_product *product, const struct scp_run *run);

/* Floats of one of the products of a panel of weights, and of their gradient: a line more than the
 * channels of all parts need, so that they do not fall into one set of the cache. */
static inline size_t scp_winograd_step(const struct scp_winograd_form *form, size_t channels) {
    return form->parts * channels * 16 + 16;
}
/* Where tap (0, 0) of a part lies among all taps of the kernel. */
static inline size_t scp_winograd_tap(const struct scp_winograd_form *form, size_t part) {
    return part / form->apart * form->all + part % form->apart;
}
static inline const struct scp_winograd_kernels *
scp_winograd_kernels(const struct scp_winograd_form *form) {
    return &scp_kernels()->winograd[form->taps == 2];
}

/* Tiles of a block: about `wanted`; with `wide`, as many of them as V may have there. columns: V is
 * read tile after tile in one channel, so that tiles must not fall into few sets of the cache. */
void scp_winograd_divide(struct scp_winograd_blocks *blocks, const struct scp_source *source,
                         const struct scp_axis *y, const struct scp_axis *x, size_t wanted,
                         int wide, int columns);
struct scp_winograd_block scp_winograd_block(const struct scp_winograd_blocks *blocks,
                                             size_t index);

/* V[products][tiles][tile] of a block, from channel `first` on. scratch: scratch_floats of them. */
void scp_winograd_read(float *v, const struct scp_winograd_blocks *blocks,
                       const struct scp_winograd_block *block, size_t first, size_t channels,
                       float *scratch);
/* Block after block: all threads read it to blocks->v, then the tasks run. */
enum scp_status scp_winograd_wide(struct scp_winograd_blocks *blocks, size_t tasks, scp_task run,
                                  void *context, const struct scp_control *control);

#endif
