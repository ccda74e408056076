/* Supervised training of heat maps on labelled images alone, as the spatial configuration network
 * of Payer et al. (Medical Image Analysis 54, 2019) is trained: the comparator of Table 2.
 *
 * The network has one output of L channels at the size of the images: the heat maps. The target of
 * a landmark at c is a Gaussian of its own deviation s, which is trained too:
 *     t(x) = integral / (2 pi s^2) * exp(-|x - c|^2 / 2 s^2)
 * The parameters of the training are those of the network and then the L sigmas.
 *
 * Read scp/reference/supervised.py first, then scp/train.h for the loop. */
#ifndef SCP_SUPERVISE_H
#define SCP_SUPERVISE_H

#include "scp/nn.h"
#include "scp/train.h"
#include "scp/views.h"

#define SCP_SUPERVISE_LOSSES 3 /* heat maps, weight decay, sigmas */
#define SCP_SUPERVISE_MAX_LANDMARKS 1024

/* ---- options ---- */

/* Those of struct scp_train_options that have a meaning here. */
#define SCP_SUPERVISE_TRAIN_ROWS(O)                                                                \
    O(REAL, learning_rate, 1e-6, 0, 10, "", "at the top of the schedule")                          \
    O(CHOICE, schedule, SCP_SCHEDULE_CONSTANT, SCP_SCHEDULE_NAMES, "constant, step or cosine")     \
    O(REAL, warm_up, 0, 0, 1, "of the run", "over which the rate rises linearly")                  \
    O(REAL, final, 0, 0, 1, "of the rate", "cosine: rate at the end")                              \
    O(REAL, decay, 0.1, 0, 1, "", "step: factor")                                                  \
    O(REAL, decay_every, 0.5, 1e-6, 1, "of the run", "step: between decays")                       \
    O(REAL, weight_decay, 1e-3, 0, 10, "", "of kernels, not of biases; part of the loss")          \
    O(REAL, clip_norm, 10000, 0, 1e9, "", "largest norm of the whole gradient; 0: no limit")       \
    O(COUNT, log_every, 10, 1, 1000000000, "steps", "per line of the log")                         \
    O(REAL, checkpoint_seconds, 60, 0, 1e9, "seconds", "between checkpoints")

#define SCP_SUPERVISE_ROWS(O)                                                                      \
    O(COUNT, batch, 1, 1, 4096, "images", "per step, in shuffled passes")                          \
    O(REAL, momentum, 0.99, 0, 0.9999999, "", "Nesterov's")                                        \
    O(REAL, sigma, 2.5, 1e-2, 1e3, "pixels", "standard deviation of the targets at first")         \
    O(REAL, sigma_weight, 20, 0, 1e9, "", "of half the sum of the squared sigmas in the loss")     \
    O(REAL, integral, 100, 1e-6, 1e9, "", "of a target over its pixels")                           \
    O(REAL, move, 10.0 / 240, 0, 1, "of the side", "largest shift along each axis")                \
    O(REAL, rotate, 0.25, 0, 3.2, "radians", "largest rotation")                                   \
    O(REAL, zoom, 0.2, 0, 0.9, "", "both axes times 1 - zoom .. 1 + zoom")                         \
    O(REAL, stretch, 0.2, 0, 0.9, "", "each axis times 1 - stretch .. 1 + stretch")                \
    O(REAL, bend, 10.0 / 240, 0, 0.2, "of the side",                                               \
      "cubic B-spline of 5 x 5 control points: largest shift of each")                             \
    O(REAL, brighten, 0.25, 0, 2, "of half the range", "added")                                    \
    O(REAL, contrast, 0.25, 0, 0.99, "", "then times 1 - contrast .. 1 + contrast")

struct scp_supervise_options {
    struct scp_train_options train;
    SCP_SUPERVISE_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_supervise_table;

/* ---- batches ---- */

/* Of all images of the pool, borrowed: points[count][landmarks][2], (x, y) in pixels of the pool,
 * also beyond the image; weights[count][landmarks], 0 where there is no label, up to 1. */
struct scp_supervise_labels {
    const float *points, *weights;
    size_t landmarks;
};

struct scp_supervise_batch {
    size_t items, height, width, landmarks;
    float *images;     /* [items][height][width], -1 to 1: (255 pixel - 128) / 128, drawn */
    float *points;     /* [items][landmarks][2], pixels of the view */
    float *weights;    /* [items][landmarks] */
    uint32_t *sources; /* [items]: the image of the pool */
};

/* SCP_EINVAL unless options are in their ranges, images exist, weights are 0 to 1, and points with
 * a weight are finite. */
enum scp_status scp_supervise_check(const struct scp_supervise_options *options,
                                    const struct scp_pool *pool,
                                    const struct scp_supervise_labels *labels,
                                    const struct scp_control *control);

/* The sizes in the batch are those of the options, the pool and the labels. */
enum scp_status scp_supervise_sample(struct scp_supervise_batch *batch, const struct scp_pool *pool,
                                     const struct scp_supervise_labels *labels,
                                     const struct scp_supervise_options *options, uint64_t step,
                                     const struct scp_control *control);

/* ---- the objective ----
 *
 * heat = sum w (p - t)^2 / 2 / items over all pixels and landmarks, spread = sigma_weight sum w s^2
 * / 2 / items; the gradients of their sum in map->gradient and, written, in sigma_gradients
 * [landmarks]: the targets move with the sigmas. losses[0] = heat, losses[2] = spread. */
enum scp_status scp_supervise_objective(double losses[SCP_SUPERVISE_LOSSES], float *sigma_gradients,
                                        const struct scp_output *map, const float *sigmas,
                                        const struct scp_supervise_batch *batch, double integral,
                                        double sigma_weight, const struct scp_control *control);

/* ---- the training ----
 *
 * As scp_contrast_training; pool, labels and graph are borrowed. */
enum scp_status scp_supervise_training(struct scp_training *training, const struct scp_graph *graph,
                                       const struct scp_pool *pool,
                                       const struct scp_supervise_labels *labels,
                                       const struct scp_supervise_options *options,
                                       enum scp_making making, const struct scp_control *control);

#endif
