/* Trainings whose networks then say which images to label, the comparators of the paper's Table 6.
 *
 * VAAL (Sinha et al., ICCV 2019): a variational autoencoder of labelled and unlabelled images, and
 * a discriminator that tells from the latent means which images are labelled. The images that it
 * takes least for labelled are asked for.
 *
 * Instances: one encoder and two classifiers, each image a class of its own, whose answers are kept
 * apart (maximum classifier discrepancy: Saito et al., CVPR 2018). Loss, entropy or discrepancy of
 * the answers rank the images.
 *
 * Both see crops of the images. Read scp/reference/active.py first, then scp/train.h for the loop.
 */
#ifndef SCP_ACTIVE_H
#define SCP_ACTIVE_H

#include "scp/nn.h"
#include "scp/train.h"
#include "scp/views.h"

/* ---- options of both ---- */

#define SCP_CROP_ROWS(O)                                                                           \
    O(COUNT, size, 192, 8, 4096, "pixels", "side of what the networks see: a crop, resized")       \
    O(REAL, smallest, 0.08, 1e-3, 1, "of the area", "smallest crop; the largest is the image")     \
    O(REAL, stretch, 4.0 / 3, 1, 8, "", "largest ratio of the sides of a crop")                    \
    O(REAL, flip, 0.5, 0, 1, "", "probability of left for right")

struct scp_crop_options {
    SCP_CROP_ROWS(SCP_OPTION_FIELD)
};

#define SCP_ACTIVE_TRAIN_ROWS(O, RATE)                                                             \
    O(REAL, learning_rate, RATE, 0, 10, "", "Adam's, at the top of the schedule")                  \
    O(CHOICE, schedule, SCP_SCHEDULE_CONSTANT, SCP_SCHEDULE_NAMES, "constant, step or cosine")     \
    O(REAL, warm_up, 0.1, 0, 1, "of the run", "over which the rate rises linearly")                \
    O(REAL, final, 0, 0, 1, "of the rate", "cosine: rate at the end")                              \
    O(REAL, decay, 0.1, 0, 1, "", "step: factor")                                                  \
    O(REAL, decay_every, 0.5, 1e-6, 1, "of the run", "step: between decays")                       \
    O(REAL, beta1, 0.9, 0, 0.9999999, "", "Adam")                                                  \
    O(REAL, beta2, 0.999, 0, 0.9999999, "", "Adam")                                                \
    O(REAL, adam_epsilon, 1e-8, 1e-20, 1, "", "Adam")                                              \
    O(REAL, weight_decay, 0, 0, 10, "", "L2, added to the gradient")                               \
    O(REAL, clip_norm, 0, 0, 1e9, "", "largest norm of the gradient of a network; 0: no limit")    \
    O(COUNT, log_every, 10, 1, 1000000000, "steps", "per line of the log")                         \
    O(REAL, checkpoint_seconds, 300, 0, 1e9, "seconds", "between checkpoints")

struct scp_crops {
    float *views; /* [items][size][size][channels], grey in every channel, 0..1 as -1..1 */
    const uint32_t *sources; /* [items]: the image of the pool */
    size_t items, channels;
};

/* Writes the views: of each image a crop, resized. Its area is uniform in smallest..1 of the
 * image's and the logarithm of its ratio of sides uniform in +-log(stretch); where ten draws do not
 * fit the image, the largest crop of a legal ratio in its middle. Resized with linear weights, over
 * 2 pixels of the crop or of the view, whichever are larger. Item i draws from stream `first` + i.
 */
enum scp_status scp_crops(const struct scp_crops *crops, const struct scp_pool *pool,
                          const struct scp_crop_options *options, uint64_t seed, uint64_t first,
                          const struct scp_control *control);

/* ---- VAAL ---- */

#define SCP_VAAL_LOSSES 4 /* reconstruction, divergence, adversary, discriminator */
#define SCP_VAAL_MAX_MOVES 16

#define SCP_VAAL_ROWS(O)                                                                           \
    O(COUNT, batch, 2, 1, 4096, "images", "labelled, and as many unlabelled")                      \
    O(COUNT, passes, 5, 1, 1000000, "",                                                            \
      "length where steps and minutes are 0: passes * images / batch steps")                       \
    O(COUNT, moves, 2, 1, SCP_VAAL_MAX_MOVES, "",                                                  \
      "of the autoencoder in a step, each on images of its own; then one of the discriminator")    \
    O(REAL, beta, 1, 0, 1e6, "", "of the divergence in the loss, summed over latents and images")  \
    O(REAL, adversary, 1, 0, 1e6, "", "of the discriminator's answers in the autoencoder's loss")

struct scp_vaal_options {
    struct scp_train_options train;
    struct scp_crop_options crop;
    SCP_VAAL_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_vaal_table;

/* encoder: [size][size][channels] to [1][1][2 latent], means, then logarithms of variances.
 * decoder: [1][1][latent + 1] to [size][size][channels], its last input is always 1 (so a bias for
 * each number of its first map is a weight). discriminator: [1][1][latent] to one number, the logit
 * of "labelled". */
struct scp_vaal_graphs {
    const struct scp_graph *encoder, *decoder, *discriminator;
};

/* Rows of the pool, borrowed. */
struct scp_vaal_rows {
    const uint32_t *labelled, *unlabelled;
    size_t n_labelled, n_unlabelled;
};

/* Both kinds come in shuffled passes; what is left of a pass beyond whole batches is dropped. With
 * z = mean + deviation * normal, the loss of the autoencoder, over both kinds, is
 *     mean (decoder(z) - x)^2 + beta KL(z | normal) - adversary * mean log D(mean),
 * that of the discriminator - mean log D(labelled means) - mean log(1 - D(unlabelled means)) on the
 * images of the last move. All norms are by the batch. Models and groups: "encoder", "decoder",
 * "discriminator". Graphs, pool and rows are borrowed, the options copied.
 *
 * SCP_EINVAL: options, rows or graphs do not fit; fewer images of a kind than `batch`. */
enum scp_status scp_vaal_training(struct scp_training *training,
                                  const struct scp_vaal_graphs *graphs, const struct scp_pool *pool,
                                  const struct scp_vaal_rows *rows,
                                  const struct scp_vaal_options *options, enum scp_making making,
                                  const struct scp_control *control);

/* ---- instances ---- */

#define SCP_INSTANCES_LOSSES 3 /* cross entropies of both classifiers, discrepancy */

#define SCP_INSTANCES_ROWS(O)                                                                      \
    O(COUNT, batch, 10, 1, 4096, "images", "per step, in shuffled passes")                         \
    O(COUNT, passes, 40, 1, 1000000, "",                                                           \
      "length where steps and minutes are 0: passes * images / batch steps")                       \
    O(REAL, discrepancy, 0.1, 0, 1e6, "", "of the L1 distance between both answers, taken off")

struct scp_instances_options {
    struct scp_train_options train;
    struct scp_crop_options crop;
    SCP_INSTANCES_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_instances_table;

/* encoder: [size][size][channels] to [1][1][C]; head: [1][1][C] to [1][1][N] logarithms of
 * probabilities, N the images of the pool. With p1, p2 of two heads and y the number of the image,
 *     loss = mean of - log p1[y] - log p2[y] - discrepancy * sum |p1 - p2|.
 * Models and groups: "encoder", "first", "second". */
enum scp_status scp_instances_training(struct scp_training *training,
                                       const struct scp_graph *encoder,
                                       const struct scp_graph *head, const struct scp_pool *pool,
                                       const struct scp_instances_options *options,
                                       enum scp_making making, const struct scp_control *control);

#endif
