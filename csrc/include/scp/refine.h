/* Refinement (the paper, section 3.3): a network learns, from a few labelled images and from the
 * pseudo labels of template matching on all others, a heat map and two offset maps per landmark; at
 * inference the pixels that the heat map names vote for a place.
 *
 * The network has one output of 3 L channels for L landmarks, of 1/1, 1/2, .. the size of the
 * images: logits of the heat maps, then the offsets in x, then in y. Pixel (i, j) of an output of
 * 1/s the size lies at ((i + 0.5) s - 0.5, (j + 0.5) s - 0.5) of the image. The target of a
 * landmark is a disc around it: 1 where the distance is below the radius R, else 0; inside,
 * offset = (landmark - pixel) / R. Targets are computed where they are needed, never stored.
 *
 * Everything drawn depends on (seed, step, item) only, as in training (scp/train.h). */
#ifndef SCP_REFINE_H
#define SCP_REFINE_H

#include "scp/train.h"

#define SCP_REFINE_LOSSES 3 /* lambda * focal, offsets in x, offsets in y */
#define SCP_REFINE_MAX_LANDMARKS 1024

/* Landmarks of all images of a pool, borrowed. */
struct scp_labels {
    const float *points;  /* [count][landmarks][2], (x, y), pixels of the pool's images */
    const float *weights; /* [count][landmarks], 0 (no label) to 1 */
    size_t landmarks;
    const uint32_t *labelled, *pseudo; /* images of the pool that items are drawn from */
    size_t n_labelled, n_pseudo;
};

struct scp_refine_options {
    uint64_t seed;
    size_t labelled, pseudo; /* items of a step: labelled first, in turn; pseudo in passes */
    int cubic, replicate;    /* as in scp_sample_options */
    float scale, shift;      /* the network reads scale * pixel + shift */
    float radius;            /* R, pixels of the image */
    float focal;             /* lambda */
    float strength[SCP_TRANSFORMS];
};

/* What a step sees. A landmark that leaves its view has weight 0. */
struct scp_refine_batch {
    float *images;     /* [batch][height][width][channels], grey in every channel */
    float *points;     /* [batch][landmarks][2], pixels of the view */
    float *weights;    /* [batch][landmarks] */
    uint32_t *sources; /* [batch]: the image of the pool */
    size_t channels;
};

/* SCP_EINVAL unless sizes are positive, images exist, weights are 0 to 1, points with a weight are
 * finite, and strengths are as in scp_sample_check. */
enum scp_status scp_refine_check(const struct scp_refine_options *options,
                                 const struct scp_pool *pool, const struct scp_labels *labels);

enum scp_status scp_refine_sample(struct scp_refine_batch *batch, const struct scp_pool *pool,
                                  const struct scp_labels *labels,
                                  const struct scp_refine_options *options, uint64_t step,
                                  const struct scp_control *control);

/* losses[SCP_REFINE_LOSSES], whose sum is the loss, and its gradient in map->gradient. With w the
 * weight of an item's landmark, g the disc, p the heat map:
 *     focal = sum w (-(1 - p) g log p - p (1 - g) log(1 - p)) / sum w, over all pixels
 *     offset = sum w g |o - o*| / sum w g, for x and for y
 * A part without any weight is 0. points and weights as in scp_refine_batch; height, width: of the
 * images, whole multiples of the map's by one factor, else SCP_EINVAL. */
enum scp_status scp_refine_objective(double losses[SCP_REFINE_LOSSES], const struct scp_output *map,
                                     const float *points, const float *weights, size_t batch,
                                     size_t landmarks, size_t height, size_t width, float radius,
                                     float focal, const struct scp_control *control);

/* ---- inference ---- */

enum scp_vote {
    SCP_VOTE_COUNT = 0, /* the paper's code: whole pixels, one vote each */
    SCP_VOTE_WEIGHTED,  /* votes weigh by the heat map; mode, then the mean around it */
    SCP_VOTES
};

/* The `candidates` pixels with the highest logits (ties to the first) vote for pixel + R * offset.
 * COUNT: offsets are truncated to whole pixels of the map, votes outside are dropped, the pixel
 * with most votes (the first of them) wins; confidence: its share of the candidates.
 * WEIGHTED: a vote weighs p; the mode is the pixel with the largest sum of its 3 x 3 neighbourhood
 * (1 2 1 along both axes), the first of them;
 * from there the mean of the votes v with weights p (1 - |v - mean|^2 / window^2), where positive,
 * repeated; confidence: sum of these weights / candidates, 0 to 1.
 * Without a vote inside the image the highest pixel is taken, with confidence 0. */
struct scp_vote_options {
    enum scp_vote kind;
    size_t candidates;
    float radius, window; /* pixels of the image; window: at least one pixel of the map */
};

/* xy[landmarks][2], pixels of the image, and confidence[landmarks], from one image's output:
 * values[height][width], `stride` floats from pixel to pixel; factor: of the image's size. */
enum scp_status scp_refine_vote(double *xy, double *confidence, const float *values, size_t height,
                                size_t width, size_t stride, size_t landmarks, size_t factor,
                                const struct scp_vote_options *options,
                                const struct scp_control *control);

/* ---- the loop ---- */

struct scp_refiner;

/* As scp_train_create and scp_train_run; pool, labels and graph are borrowed. */
enum scp_status scp_refiner_create(struct scp_refiner **refiner, size_t *bytes, size_t *bad,
                                   const struct scp_graph *graph, const struct scp_pool *pool,
                                   const struct scp_labels *labels,
                                   const struct scp_refine_options *options,
                                   const struct scp_adam_options *adam);
void scp_refiner_free(struct scp_refiner *refiner);

/* losses[count][SCP_REFINE_LOSSES] */
enum scp_status scp_refiner_run(struct scp_refiner *refiner, double *losses, size_t *done,
                                float *parameters, float *state, float *m, float *v, uint64_t first,
                                const double *rates, size_t count,
                                const struct scp_control *control);

#endif
