/* Contrastive training of features (the paper, section 3.1): a network learns to give the same
 * feature to the same place in two views of an image, an image view and a view of a crop of it.
 *
 * A step draws `batch` images of a pool, makes both views of each (scp/views.h), with pairs of
 * points that show the same place, runs the network on both, and computes the objective at every
 * level. Read scp/reference/training.py first, then scp/train.h for the loop. */
#ifndef SCP_CONTRAST_H
#define SCP_CONTRAST_H

#include "scp/nn.h"
#include "scp/train.h"
#include "scp/views.h"

#define SCP_MAX_LEVELS SCP_OPTION_MAX_REALS

/* ---- options ---- */

#define SCP_OBJECTIVE_NAMES(N)                                                                     \
    N(SCP_OBJECTIVE_WINDOWED, "windowed") /* negatives near the positive, with a margin */         \
    N(SCP_OBJECTIVE_PLAIN, "plain")       /* all cells */
enum scp_objective { SCP_OBJECTIVE_NAMES(SCP_CHOICE_ENUMERATOR) SCP_OBJECTIVES };

#define SCP_CONTRAST_ROWS(O)                                                                       \
    O(COUNT, batch, 4, 1, 4096, "images", "per step, each with a crop")                            \
    O(REAL, crop, 0.5, 0.01, 1, "of the side", "side of the crop; of the image's shorter side")    \
    O(COUNT, points, 64, 1, 65536, "pairs", "of points per image (the paper: 1)")                  \
    O(REAL, point_margin, 0.1, 0, 0.49, "of the side", "border of the crop without points")        \
    O(CHOICE, objective, SCP_OBJECTIVE_WINDOWED, SCP_OBJECTIVE_NAMES,                              \
      "windowed: margin, local; plain: the paper, Eq. 11")                                         \
    O(REAL, temperature, 0.1, 1e-4, 1e4, "", "cosines are divided by it (the paper's code: 0.1)")  \
    O(COUNT, window, 11, 1, 4096, "cells",                                                         \
      "windowed: cells g-window .. g+window-1 a level, but all of level 0")                        \
    O(REAL, margin, 0.07, 0, 100, "cosine",                                                        \
      "windowed: handicap of a negative per cell of distance")                                     \
    O(REAL, margin_limit, 0.8, 0, 100, "cosine", "windowed: largest handicap")                     \
    O(REAL, epsilon, 1e-3, 1e-20, 1, "", "added to the product of the norms in a cosine")          \
    O(REALS, level_weights, 0, 1e6, "", "of the levels' losses, coarsest first; none: 1")

struct scp_contrast_options {
    struct scp_train_options train;
    struct scp_view_options view;
    SCP_CONTRAST_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_contrast_table;

/* ---- views ---- */

/* What a step sees. A pair is pixel (x, y) of the crop view and the place (x, y) of the image view
 * that shows the same; pixel centres are integers. A pair for which no place inside both views was
 * found has the pixel (-1, -1). */
struct scp_batch {
    size_t items, height, width, channels, side, points;
    float *images;        /* [items][height][width][channels], grey in every channel */
    float *crops;         /* [items][side][side][channels] */
    int32_t *crop_points; /* [items][points][2] */
    float *image_points;  /* [items][points][2] */
    uint32_t *sources;    /* [items]: the image of the pool */
};

/* Pixels of a crop's side: a multiple of 2^levels. 0: the image is too small. */
size_t scp_crop_side(const struct scp_contrast_options *options, size_t height, size_t width,
                     size_t levels);

/* SCP_EINVAL unless options are in their ranges, sizes are positive, and a crop of `side` is not
 * larger than the image and leaves room for points between the margins. */
enum scp_status scp_contrast_check(const struct scp_contrast_options *options,
                                   const struct scp_pool *pool, size_t side,
                                   const struct scp_control *control);

/* Items step * batch .. of the endless sequence of shuffled passes through the pool. The sizes in
 * the batch are those of the options and the pool. */
enum scp_status scp_contrast_sample(struct scp_batch *batch, const struct scp_pool *pool,
                                    const struct scp_contrast_options *options, uint64_t step,
                                    const struct scp_control *control);

/* ---- the objective ----
 *
 * With t the crop's feature at the pair's pixel, f_i the image's features, g the cell of the pair's
 * place, and distances in cells of the level:
 *     cos_i = <f_i, t> / (|f_i| |t| + epsilon)
 *     loss = log sum_{i in W} exp(cos_i / temperature + bias_i) - cos_g / temperature
 * PLAIN (the paper, Eq. 11): W is all cells and bias is 0. WINDOWED: W is cells g - window .. g +
 * window - 1 of either axis that exist, but all cells at level 0; bias_i = min(margin * |i - g|,
 * margin_limit) / temperature. A level's loss is the mean over all pairs of the batch. Both views
 * get gradients.
 *
 * losses[levels] (unweighted), and the gradients of sum_d level_weights[d] * losses[d] in the
 * outputs image[levels] and crop[levels] of the batch. Where there is no pair at all, losses and
 * gradients are 0. Levels are coarsest first. */
enum scp_status scp_contrast_objective(double *losses, const struct scp_output *image,
                                       const struct scp_output *crop, size_t levels,
                                       const struct scp_batch *batch,
                                       const struct scp_contrast_options *options,
                                       const struct scp_control *control);

/* ---- the training ----
 *
 * Graph and the pool's images are borrowed, the options copied. The network's input has 1 or 3
 * channels and its outputs, coarsest first, are the levels. SCP_EINVAL: options as above, or the
 * network does not fit the views (the error names the layer). */
enum scp_status scp_contrast_training(struct scp_training *training, const struct scp_graph *graph,
                                      const struct scp_pool *pool,
                                      const struct scp_contrast_options *options,
                                      enum scp_making making, const struct scp_control *control);

#endif
