/* Self-supervised training (the paper, section 3.1): a network learns to give the same feature to
 * the same place in two views of an image, an image view and a view of a crop of it.
 *
 * A step draws `batch` images of a pool, makes both views of each, with pairs of points that show
 * the same place, runs the network on both, computes the objective at every level, and moves the
 * parameters by Adam. Everything drawn depends on (seed, step, item) only: never on the number of
 * threads, on the order of calls or on what a run did before.
 *
 * Views are made just before the step, on the same threads. A thread that prepares them ahead would
 * gain nothing: the network step keeps every CPU busy, so the work would only move. */
#ifndef SCP_TRAIN_H
#define SCP_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "scp/nn.h"
#include "scp/status.h"
#include "scp/threads.h"

#define SCP_TRAIN_MAX_LEVELS 8

/* ---- views ---- */

/* The transforms of a view, in the order in which they act; side = the shorter side of the view.
 * Geometry: source = origin + c + zoom * R(angle) * mirror * (o - c) + shift + elastic(o), for a
 * pixel o of the view with centre c = (side - 1) / 2; the source is read once, interpolated. */
enum scp_transform {
    SCP_ROTATION = 0,   /* angle: uniform in +-strength degrees */
    SCP_SCALE,          /* zoom: exp(uniform in +-strength) */
    SCP_TRANSLATION,    /* shift, each axis: uniform in +-strength * side */
    SCP_FLIP,           /* left for right, with probability strength */
    SCP_ELASTIC,        /* sd of the normal shifts, strength * side, of a grid of g x g nodes, g = 3
                           to 6, from corner to corner of the view; Catmull-Rom between them */
    SCP_BLUR,           /* x + v * (blurred - x), v uniform in +-strength (below 0 it sharpens);
                           blurred: 1 4 6 4 1 along both axes. Here and below: clipped to 0 .. 1 */
    SCP_BRIGHTNESS,     /* x * (1 + uniform in +-strength) */
    SCP_CONTRAST,       /* mean + (1 + uniform in +-strength) * (x - mean) */
    SCP_GAMMA,          /* x ^ exp(uniform in +-strength) */
    SCP_SHADE_MULTIPLY, /* x * (1 + strength * field); field: 3 x 3 nodes as above */
    SCP_SHADE_ADD,      /* x + strength * field */
    SCP_NOISE,          /* sd uniform in 0 .. strength; the bell of a sum of four bytes */
    SCP_TRANSFORMS
};

enum scp_view_kind { SCP_VIEW_IMAGE = 0, SCP_VIEW_CROP = 1, SCP_VIEWS = 2 };

struct scp_sample_options {
    uint64_t seed;
    size_t batch;       /* images of a step */
    size_t crop;        /* side P of the crop, pixels */
    size_t points;      /* pairs of an item */
    float point_margin; /* fraction of P without points at every border, below 0.5 */
    int cubic;          /* interpolation: 0 bilinear, 1 Catmull-Rom */
    int replicate;      /* outside the image: 0 black, 1 the nearest pixel */
    float strength[SCP_VIEWS][SCP_TRANSFORMS]; /* 0: off */
};

/* Grey images[count][height][width] in 0 .. 1, borrowed. */
struct scp_pool {
    const float *images;
    size_t count, height, width;
};

/* What a step sees. A pair is pixel (x, y) of the crop view and the place (x, y) of the image view
 * that shows the same; pixel centres are integers. A pair for which no place inside both views was
 * found has the pixel (-1, -1). */
struct scp_batch {
    float *images;        /* [batch][height][width][channels], grey in every channel */
    float *crops;         /* [batch][P][P][channels] */
    int32_t *crop_points; /* [batch][points][2] */
    float *image_points;  /* [batch][points][2] */
    uint32_t *sources;    /* [batch]: the image of the pool */
    size_t channels;
};

/* SCP_EINVAL unless sizes are positive, P is not larger than the image and leaves room for points
 * between the margins, and strengths are finite and not negative. */
enum scp_status scp_sample_check(const struct scp_sample_options *options,
                                 const struct scp_pool *pool);

/* Items step * batch .. of the endless sequence of shuffled passes through the pool. */
enum scp_status scp_sample(struct scp_batch *batch, const struct scp_pool *pool,
                           const struct scp_sample_options *options, uint64_t step,
                           const struct scp_control *control);

/* ---- objectives ---- */

enum scp_objective {
    SCP_OBJECTIVE_WINDOWED = 0, /* negatives near the positive, with a margin */
    SCP_OBJECTIVE_PLAIN,        /* all cells (the paper, Eq. 11) */
    SCP_OBJECTIVES
};

/* With t the crop's feature at the pair's pixel, f_i the image's features, g the cell of the pair's
 * place, and distances in cells of the level:
 *     cos_i = <f_i, t> / (|f_i| |t| + epsilon)
 *     loss = log sum_{i in W} exp(cos_i / temperature + bias_i) - cos_g / temperature
 * PLAIN: W is all cells and bias is 0. WINDOWED: W is cells g - window .. g + window - 1 of either
 * axis that exist, but all cells at level 0; bias_i = min(margin * |i - g|, limit) / temperature.
 * A level's loss is the mean over all pairs of the batch. Both views get gradients. */
struct scp_objective_options {
    enum scp_objective kind;
    size_t window;
    float temperature, margin, limit, epsilon;
    float weights[SCP_TRAIN_MAX_LEVELS]; /* of the levels in the gradient */
};

/* losses[levels] (unweighted), and the gradients of sum_d weights[d] * losses[d] in the outputs
 * image[levels] and crop[levels], of `batch` images of size height x width and P x P. Where there
 * is no pair at all, losses and gradients are 0. Levels are coarsest first. */
enum scp_status scp_objective(double *losses, const struct scp_output *image,
                              const struct scp_output *crop, size_t levels, size_t batch,
                              const int32_t *crop_points, const float *image_points, size_t points,
                              size_t height, size_t width, size_t side,
                              const struct scp_objective_options *options,
                              const struct scp_control *control);

/* ---- Adam, with weight decay as L2 in the gradient (Kingma and Ba, ICLR 2015) ---- */

struct scp_adam_options {
    float beta1, beta2, epsilon, weight_decay;
    float clip; /* largest norm of the gradient, before the decay is added; 0: none */
};

/* Step number `step` (from 0) on parameters[n], m[n], v[n] with `rate`; gradients[n] are read. */
enum scp_status scp_adam(float *parameters, float *m, float *v, const float *gradients, size_t n,
                         uint64_t step, double rate, const struct scp_adam_options *options);

/* ---- the loop ---- */

struct scp_train_options {
    struct scp_sample_options sample;
    struct scp_objective_options objective;
    struct scp_adam_options adam;
};

struct scp_trainer;

/* Graph, pool and options: the graph and the pool's images are borrowed, the options copied. The
 * network's input has 1 or 3 channels and its outputs, coarsest first, are the levels. *bytes: all
 * that the trainer holds. With trainer NULL only *bytes is computed. SCP_EINVAL: options as above,
 * or the network does not fit the views (*bad: the layer; SIZE_MAX: the options or outputs). */
enum scp_status scp_train_create(struct scp_trainer **trainer, size_t *bytes, size_t *bad,
                                 const struct scp_graph *graph, const struct scp_pool *pool,
                                 const struct scp_train_options *options);
void scp_train_free(struct scp_trainer *trainer);

/* Runs steps first .. first + count - 1, step first + i with rates[i]; losses[count][levels].
 * *done steps were completed. SCP_OK with *done < count: the loss of step first + *done is not
 * finite (losses tells which level), and its parameters and moments were left as before it. On
 * SCP_EINTERRUPTED the step that was running is half done: its numbers are not to be kept. */
enum scp_status scp_train_run(struct scp_trainer *trainer, double *losses, size_t *done,
                              float *parameters, float *state, float *m, float *v, uint64_t first,
                              const double *rates, size_t count, const struct scp_control *control);

#endif
