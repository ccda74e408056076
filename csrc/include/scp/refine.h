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
 * Read scp/reference/refinement.py first, then scp/train.h for the loop. */
#ifndef SCP_REFINE_H
#define SCP_REFINE_H

#include "scp/nn.h"
#include "scp/train.h"
#include "scp/views.h"

#define SCP_REFINE_LOSSES 3 /* lambda * focal, offsets in x, offsets in y */
#define SCP_REFINE_MAX_LANDMARKS 1024

/* ---- options ---- */

#define SCP_INPUT_NAMES(N)                                                                         \
    N(SCP_INPUT_UNIT, "unit")       /* 0 .. 1 */                                                   \
    N(SCP_INPUT_CENTRED, "centred") /* 2 * pixel - 1 */
enum scp_input { SCP_INPUT_NAMES(SCP_CHOICE_ENUMERATOR) SCP_INPUTS };

#define SCP_VOTE_NAMES(N)                                                                          \
    N(SCP_VOTE_COUNT, "count")       /* the paper's code: whole pixels, one vote each */           \
    N(SCP_VOTE_WEIGHTED, "weighted") /* votes weigh by the heat map; mode, then mean around it */
enum scp_vote { SCP_VOTE_NAMES(SCP_CHOICE_ENUMERATOR) SCP_VOTES };

#define SCP_REFINE_ROWS(O)                                                                         \
    O(COUNT, labelled, 2, 0, 4096, "images", "with true landmarks per step, in turn")              \
    O(COUNT, pseudo, 2, 0, 4096, "images", "with pseudo labels per step")                          \
    O(REAL, radius, 0.05, 1e-4, 1, "of the side", "R; of the image's longer side")                 \
    O(REAL, focal, 20, 0, 1e6, "",                                                                 \
      "lambda, weight of the heat maps (the paper: 2; legs 5, chests 15)")                         \
    O(REAL, power, 2, 0, 100, "", "weights of pseudo labels: confidence to it; 0: all alike")      \
    O(CHOICE, inputs, SCP_INPUT_UNIT, SCP_INPUT_NAMES,                                             \
      "what the network reads: unit (0..1) or centred (-1..1)")                                    \
    O(FLAG, prior, 1, "heat maps begin at the share of pixels in a disc")                          \
    O(CHOICE, vote, SCP_VOTE_WEIGHTED, SCP_VOTE_NAMES,                                             \
      "at inference: weighted, or count as the paper's code")                                      \
    O(REAL, window, 0.25, 1e-3, 100, "of R", "weighted votes: width of the mean")

struct scp_refine_options {
    struct scp_train_options train;
    struct scp_view_options view; /* one view: strength[0] */
    SCP_REFINE_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_refine_table;

/* R in pixels of an image. */
float scp_refine_radius(const struct scp_refine_options *options, size_t height, size_t width);

/* ---- batches ---- */

/* Landmarks of all images of a pool, borrowed. */
struct scp_labels {
    const float *points;  /* [count][landmarks][2], (x, y), pixels of the pool's images */
    const float *weights; /* [count][landmarks], 0 (no label) to 1 */
    size_t landmarks;
    const uint32_t *labelled, *pseudo; /* images of the pool that items are drawn from */
    size_t n_labelled, n_pseudo;
};

/* What a step sees: options.labelled items, in turn, unless there are no labelled images; then
 * options.pseudo items in shuffled passes, likewise. A landmark that leaves its view has weight 0.
 */
struct scp_refine_batch {
    size_t items, height, width, channels, landmarks;
    float *images;     /* [items][height][width][channels], grey in every channel */
    float *points;     /* [items][landmarks][2], pixels of the view */
    float *weights;    /* [items][landmarks] */
    uint32_t *sources; /* [items]: the image of the pool */
};

/* Items of a step. */
size_t scp_refine_items(const struct scp_refine_options *options, const struct scp_labels *labels);

/* SCP_EINVAL unless options are in their ranges, there are items, sizes are positive, images exist,
 * weights are 0 to 1, and points with a weight are finite. */
enum scp_status scp_refine_check(const struct scp_refine_options *options,
                                 const struct scp_pool *pool, const struct scp_labels *labels,
                                 const struct scp_control *control);

/* The sizes in the batch are those of the options, the pool and the labels. */
enum scp_status scp_refine_sample(struct scp_refine_batch *batch, const struct scp_pool *pool,
                                  const struct scp_labels *labels,
                                  const struct scp_refine_options *options, uint64_t step,
                                  const struct scp_control *control);

/* ---- the objective ----
 *
 * losses[SCP_REFINE_LOSSES], whose sum is the loss, and its gradient in map->gradient, from points
 * and weights of the batch. With w the weight of an item's landmark, g the disc, p the heat map:
 *     focal = sum w (-(1 - p) g log p - p (1 - g) log(1 - p)) / sum w, over all pixels
 *     offset = sum w g |o - o*| / sum w g, for x and for y
 * radius: R in pixels of the images; focal: lambda. A part without any weight is 0. SCP_EINVAL
 * unless the images' sides are whole multiples of the map's, by one factor. */
enum scp_status scp_refine_objective(double losses[SCP_REFINE_LOSSES], const struct scp_output *map,
                                     const struct scp_refine_batch *batch, float radius,
                                     float focal, const struct scp_control *control);

/* ---- inference ----
 *
 * The `candidates` pixels with the highest logits (ties to the first) vote for pixel + R * offset.
 * COUNT: offsets are truncated to whole pixels of the map, votes outside are dropped, the pixel
 * with most votes (the first of them) wins; confidence: its share of the candidates.
 * WEIGHTED: a vote weighs p; the mode is the pixel with the largest sum of its 3 x 3 neighbourhood
 * (1 2 1 along both axes), the first of them;
 * from there the mean of the votes v with weights p (1 - |v - mean|^2 / window^2), where positive,
 * repeated; confidence: sum of these weights / candidates, 0 to 1.
 * Without a vote inside the image the highest pixel is taken, with confidence 0. */
struct scp_voting {
    enum scp_vote kind;
    size_t candidates;
    float radius, window; /* pixels of the image; window: at least one pixel of the map */
};

/* xy[landmarks][2], pixels of the image, and confidence[landmarks], from one image's output, whose
 * gradient is not read; factor: how many times the image is larger. */
enum scp_status scp_refine_vote(double *xy, double *confidence, const struct scp_output *map,
                                size_t landmarks, size_t factor, const struct scp_voting *voting,
                                const struct scp_control *control);

/* ---- the training ----
 *
 * As scp_contrast_training; pool, labels and graph are borrowed. */
enum scp_status scp_refine_training(struct scp_training *training, const struct scp_graph *graph,
                                    const struct scp_pool *pool, const struct scp_labels *labels,
                                    const struct scp_refine_options *options,
                                    enum scp_making making, const struct scp_control *control);

#endif
