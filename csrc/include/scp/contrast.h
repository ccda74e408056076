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

/* Of every level, or of the finest alone. */
#define SCP_OBJECTIVE_NAMES(N)                                                                     \
    N(SCP_OBJECTIVE_INFONCE_LEVELS, "infonce-levels")                                              \
    N(SCP_OBJECTIVE_INFONCE, "infonce")                                                            \
    N(SCP_OBJECTIVE_BYOL_LEVELS, "byol-levels")                                                    \
    N(SCP_OBJECTIVE_BYOL, "byol")
enum scp_objective { SCP_OBJECTIVE_NAMES(SCP_CHOICE_ENUMERATOR) SCP_OBJECTIVES };

#define SCP_NEGATIVES_NAMES(N)                                                                     \
    N(SCP_NEGATIVES_WINDOWED, "windowed") /* near the positive, with a margin */                   \
    N(SCP_NEGATIVES_PLAIN, "plain")       /* all cells */
enum scp_negatives { SCP_NEGATIVES_NAMES(SCP_CHOICE_ENUMERATOR) SCP_NEGATIVES };

#define SCP_CONTRAST_ROWS(O)                                                                       \
    O(COUNT, batch, 4, 1, 4096, "images", "per step, each with a crop")                            \
    O(REAL, crop, 0.5, 0.01, 1, "of the side", "side of the crop; of the image's shorter side")    \
    O(COUNT, points, 64, 1, 65536, "pairs", "of points per image (the paper: 1)")                  \
    O(REAL, point_margin, 0.1, 0, 0.49, "of the side", "border of the crop without points")        \
    O(CHOICE, objective, SCP_OBJECTIVE_INFONCE_LEVELS, SCP_OBJECTIVE_NAMES,                        \
      "InfoNCE or BYOL, at all levels or at the finest")                                           \
    O(CHOICE, negatives, SCP_NEGATIVES_WINDOWED, SCP_NEGATIVES_NAMES,                              \
      "infonce: windowed (margin, local) or plain (the paper, Eq. 11)")                            \
    O(REAL, temperature, 0.1, 1e-4, 1e4, "", "cosines are divided by it (the paper's code: 0.1)")  \
    O(COUNT, window, 11, 1, 4096, "cells",                                                         \
      "windowed: cells g-window .. g+window-1 a level, but all of the coarsest")                   \
    O(REAL, margin, 0.07, 0, 100, "cosine",                                                        \
      "windowed: handicap of a negative per cell of distance")                                     \
    O(REAL, margin_limit, 0.8, 0, 100, "cosine", "windowed: largest handicap")                     \
    O(REAL, epsilon, 1e-3, 1e-20, 1, "", "added to the product of the norms in a cosine")          \
    O(REALS, level_weights, 0, 1e6, "", "of the levels' losses, coarsest first; none: 1")          \
    O(COUNT, hidden, 256, 1, 4096, "channels", "byol: inside the projectors and the predictor")    \
    O(REAL, target_momentum, 0.99, 0, 1, "", "byol: of the moving average that the target is")

struct scp_contrast_options {
    struct scp_train_options train;
    struct scp_view_options view;
    SCP_CONTRAST_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_contrast_table;

/* Levels that a loss is computed at: the last ones of the network's outputs. */
size_t scp_contrast_levels(const struct scp_contrast_options *options, size_t outputs);

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
 * Negatives PLAIN (the paper, Eq. 11): W is all cells and bias is 0. WINDOWED: W is cells g -
 * window
 * .. g + window - 1 of either axis that exist, but all cells at level 0; bias_i = min(margin * |i -
 * g|, margin_limit) / temperature. A level's loss is the mean over all pairs of the batch. Both
 * views get gradients.
 *
 * losses[levels] (unweighted), and the gradients of sum_d level_weights[d] * losses[d] in the
 * outputs image[levels] and crop[levels] of the batch: of the levels that are given, whatever the
 * option `objective` is. Where there is no pair at all, losses and
 * gradients are 0. Levels are coarsest first. */
enum scp_status scp_contrast_objective(double *losses, const struct scp_output *image,
                                       const struct scp_output *crop, size_t levels,
                                       const struct scp_batch *batch,
                                       const struct scp_contrast_options *options,
                                       const struct scp_control *control);

/* ---- the training ----
 *
 * Graph and the pool's images are borrowed, the options copied. The network's input has 1 or 3
 * channels and its outputs, coarsest first, are the levels. With objectives of one level only the
 * finest counts: losses and level_weights are one, and parameters that it does not depend on never
 * move (weight decay alone would end them).
 *
 * BYOL (Grill et al., NeurIPS 2020), as the paper compares with it (Table 4): no negatives. A
 * feature of a place in one view, projected and predicted, is to be what a slowly moving copy of
 * network and projectors, the target, projects at that place of the other view. With z the target's
 * projections and p the predictions of N pairs, of C channels, compared as they are,
 *     loss of a level = mean over N and C of (p_image - z_crop)^2 + that of (p_crop - z_image)^2
 * and the whole is the weighted mean over levels. Projectors and predictor are a 1 x 1 convolution
 * to `hidden` channels, batch norm, ReLU and a 1 x 1 convolution back. Each level has a projector
 * of its own; one predictor serves all levels and both directions: its batch norm sees ten calls a
 * step with five levels, image view before crop view and in each the coarsest level first. The
 * target normalises by its batch too, and its running statistics are its own. A pair that was not
 * found repeats the next one that was. Models: "", the network; "projectors", coarsest level first;
 * "predictor"; "target" and "target.projectors", which the caller starts as copies. clip_norm holds
 * for each of those that move.
 *
 * SCP_EINVAL: options as above, or the network does not fit the views (the error names the layer);
 * BYOL: levels differ in channels, or a step has fewer than two pairs. */
enum scp_status scp_contrast_training(struct scp_training *training, const struct scp_graph *graph,
                                      const struct scp_pool *pool,
                                      const struct scp_contrast_options *options,
                                      enum scp_making making, const struct scp_control *control);

#endif
