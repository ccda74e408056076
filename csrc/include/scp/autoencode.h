/* The first stage of 3FabRec (Browatzki and Wallraven, CVPR 2020): an adversarial auto-encoder
 * learns faces without labels.
 *
 * Four networks (scp/nn.h): the encoder, pictures [side][side][3] -> z; the generator, z [1][1][Z]
 * -> [side][side][3]; the latent discriminator, [1][1][Z] -> a probability; the discriminator,
 * [side][side][3] -> a probability. A step has three phases:
 *
 *     0  the latent discriminator, in every latent_discriminator_every-th step:
 *            -mean(log(D(n) + 1e-8) + log(1 - D(z) + 1e-8)),   n normal, z encoded
 *     1  the discriminator, in every discriminator_every-th step, once gan_from passes are done:
 *            the same of pictures and reconstructions
 *     2  encoder and generator:
 *            a 255 mean|x - x^| + b structure_weight structure (scp/faces.h)
 *            + latent_weight -mean log(D(z) + 1e-8), in every latent_every-th step, encoder only
 *            + gan_weight -mean log(D(x^) + 1e-8), once gan_from passes are done
 *        with a = 1, b = 0 until structure_from passes are done, a = b = 1/2 after that.
 *
 * The released code moves the encoder twice where it has a latent term: along it alone, and along
 * the sum with its gradient left in. Both moves share Adam's moments, so with beta1 = 0 they come
 * to one move along the sum with that term twice, to first order: hence latent_weight = 2. */
#ifndef SCP_AUTOENCODE_H
#define SCP_AUTOENCODE_H

#include "scp/faces.h"
#include "scp/nn.h"
#include "scp/train.h"

/* Reconstruction, structure, latent discriminator, encoder against it, discriminator, generator
 * against it: without weights; 0 where a step does not have it. */
#define SCP_AUTOENCODE_LOSSES 6

/* Those of struct scp_train_options that have a meaning here. */
#define SCP_FACE_TRAIN_ROWS(O, RATE, BETA1)                                                        \
    O(REAL, learning_rate, RATE, 0, 10, "", "Adam's, at the top of the schedule")                  \
    O(CHOICE, schedule, SCP_SCHEDULE_CONSTANT, SCP_SCHEDULE_NAMES, "constant, step or cosine")     \
    O(REAL, warm_up, 0, 0, 1, "of the run", "over which the rate rises linearly")                  \
    O(REAL, final, 0, 0, 1, "of the rate", "cosine: rate at the end")                              \
    O(REAL, decay, 0.1, 0, 1, "", "step: factor")                                                  \
    O(REAL, decay_every, 0.5, 1e-6, 1, "of the run", "step: between decays")                       \
    O(REAL, beta1, BETA1, 0, 0.9999999, "", "Adam")                                                \
    O(REAL, beta2, 0.999, 0, 0.9999999, "", "Adam")                                                \
    O(REAL, adam_epsilon, 1e-8, 1e-20, 1, "", "Adam")                                              \
    O(COUNT, log_every, 10, 1, 1000000000, "steps", "per line of the log")                         \
    O(REAL, checkpoint_seconds, 60, 0, 1e9, "seconds", "between checkpoints")

#define SCP_AUTOENCODE_ROWS(O)                                                                     \
    O(COUNT, batch, 50, 2, 4096, "images", "per step, in shuffled passes")                         \
    O(REAL, structure_weight, 60, 0, 1e9, "", "of the structural loss")                            \
    O(REAL, structure_from, 2, 0, 1e9, "passes", "through the images before it counts")            \
    O(REAL, gan_weight, 1, 0, 1e9, "", "of what the discriminator says of reconstructions")        \
    O(REAL, gan_from, 1, 0, 1e9, "passes", "through the images before there is a discriminator")   \
    O(REAL, latent_weight, 2, 0, 1e9, "", "of what the latent discriminator says of codes")        \
    O(COUNT, latent_every, 2, 1, 1000000, "steps", "from one with that term to the next")          \
    O(COUNT, latent_discriminator_every, 4, 1, 1000000, "steps", "from one move to the next")      \
    O(COUNT, discriminator_every, 2, 1, 1000000, "steps", "from one move to the next")             \
    O(REAL, discriminator_rate, 0.5, 0, 100, "of the rate", "of the image discriminator")

struct scp_autoencode_options {
    struct scp_train_options train;
    struct scp_face_view_options view;
    SCP_AUTOENCODE_ROWS(SCP_OPTION_FIELD)
};
extern const struct scp_option_table scp_autoencode_table;

enum scp_autoencode_network {
    SCP_ENCODER = 0,
    SCP_GENERATOR,
    SCP_LATENT_DISCRIMINATOR,
    SCP_DISCRIMINATOR,
    SCP_AUTOENCODE_NETWORKS
};

/* As scp_contrast_training; faces and graphs are borrowed. `side`: of the views. Models and groups:
 * encoder, generator, latent_discriminator, discriminator. */
enum scp_status scp_autoencode_training(struct scp_training *training,
                                        const struct scp_graph *const graphs[4], size_t side,
                                        const struct scp_faces *faces,
                                        const struct scp_autoencode_options *options,
                                        enum scp_making making, const struct scp_control *control);

#endif
