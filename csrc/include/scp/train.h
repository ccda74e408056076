/* Training: one loop for every network that learns. To see what a step computes, read
 * scp/reference/training.py first: the same in a page of NumPy.
 *
 * A training (struct scp_training) is a small file that says what a step is: which numbers it
 * learns, what its losses are, and what their gradients are. scp/contrast.h is that of the features
 * (the paper, section 3.1), scp/refine.h that of the landmarks (section 3.3). The loop does the
 * rest: it checks the losses, moves the parameters by their optimisers, lets teachers follow, and
 * owns no numbers itself: they are flat float32 arrays of the caller, by name, and hold everything
 * that the next step depends on, besides its number. So a checkpoint is these arrays, and a run
 * that is continued from it has the bits of one that never stopped.
 *
 * Intended usage:
 *
 *     struct scp_training training;
 *     scp_contrast_training(&training, graph, &pool, &options, SCP_MAKE, NULL);
 *     struct scp_array rows[SCP_TRAIN_MAX_ARRAYS];
 *     size_t n = scp_training_arrays(rows, &training);   // names and lengths
 *     float *arrays[SCP_TRAIN_MAX_ARRAYS] = ...;         // zeros, but the first parameters
 *     scp_trainer_create(&trainer, &training);           // owns the training from here on
 *     scp_trainer_run(trainer, losses, &done, arrays, 0, rates, 100, NULL);     // 100 steps
 *     scp_trainer_run(trainer, losses, &done, arrays, 100, rates, 100, NULL);   // 100 more
 *     scp_trainer_free(trainer);
 *
 * Views are made just before the step, on the same threads. A thread that prepares them ahead would
 * gain nothing: the network step keeps every CPU busy, so the work would only move. */
#ifndef SCP_TRAIN_H
#define SCP_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "scp/options.h"
#include "scp/status.h"
#include "scp/threads.h"

/* ---- options of every training ---- */

#define SCP_SCHEDULE_NAMES(N)                                                                      \
    N(SCP_SCHEDULE_CONSTANT, "constant")                                                           \
    N(SCP_SCHEDULE_STEP, "step") N(SCP_SCHEDULE_COSINE, "cosine")
enum scp_schedule { SCP_SCHEDULE_NAMES(SCP_CHOICE_ENUMERATOR) SCP_SCHEDULES };

#define SCP_RUN_ROWS(O, MINUTES)                                                                   \
    O(COUNT, steps, 0, 0, (uint64_t)1 << 40, "steps", "length of the training; 0: by minutes")     \
    O(REAL, minutes, MINUTES, 0, 1e6, "minutes",                                                   \
      "length where steps is 0 (not repeatable bit by bit)")                                       \
    O(COUNT, seed, 0, 0, UINT64_MAX, "", "of all random draws")

/* The learning rate at a fraction of the run is the caller's: scp.training has the schedules. */
#define SCP_OPTIMISER_ROWS(O, WARM_UP, DECAY, DECAY_EVERY)                                         \
    O(REAL, learning_rate, 1e-3, 0, 10, "", "Adam's, at the top of the schedule")                  \
    O(CHOICE, schedule, SCP_SCHEDULE_COSINE, SCP_SCHEDULE_NAMES, "constant, step or cosine")       \
    O(REAL, warm_up, WARM_UP, 0, 1, "of the run", "over which the rate rises linearly")            \
    O(REAL, final, 0, 0, 1, "of the rate", "cosine: rate at the end")                              \
    O(REAL, decay, DECAY, 0, 1, "", "step: factor")                                                \
    O(REAL, decay_every, DECAY_EVERY, 1e-6, 1, "of the run", "step: between decays")               \
    O(REAL, beta1, 0.9, 0, 0.9999999, "", "Adam")                                                  \
    O(REAL, beta2, 0.999, 0, 0.9999999, "", "Adam")                                                \
    O(REAL, adam_epsilon, 1e-8, 1e-20, 1, "", "Adam")                                              \
    O(REAL, weight_decay, 1e-4, 0, 10, "", "L2, added to the gradient")                            \
    O(REAL, clip_norm, 0, 0, 1e9, "", "largest norm of the whole gradient; 0: no limit")           \
    O(COUNT, log_every, 10, 1, 1000000000, "steps", "per line of the log")                         \
    O(REAL, checkpoint_seconds, 60, 0, 1e9, "seconds", "between checkpoints")

struct scp_train_options {
    SCP_RUN_ROWS(SCP_OPTION_FIELD, )
    SCP_OPTIMISER_ROWS(SCP_OPTION_FIELD, , , )
};

/* ---- optimisers ---- */

enum scp_optimiser_kind {
    SCP_ADAM = 0, /* Kingma and Ba, ICLR 2015 */
    SCP_SGD,      /* with momentum: v = momentum * v + g, p -= rate * v */
    SCP_OPTIMISER_KINDS
};

/* In both, g = clipped gradient + weight_decay * p. */
struct scp_optimiser {
    enum scp_optimiser_kind kind;
    float weight_decay;
    float clip; /* largest norm of the gradient, before the decay is added; 0: none */
    float beta1, beta2, epsilon; /* ADAM */
    float momentum;              /* SGD */
    int nesterov;                /* SGD: p -= rate * (g + momentum * v) */
};

/* The optimiser that the options describe. */
void scp_optimiser_of(struct scp_optimiser *optimiser, const struct scp_train_options *options);

/* Move number `step` (from 0) of parameters[n] with moments m[n], v[n]; gradients[n] are read. */
enum scp_status scp_adam(float *parameters, float *m, float *v, const float *gradients, size_t n,
                         uint64_t step, double rate, const struct scp_optimiser *options);

enum scp_status scp_sgd(float *parameters, float *velocity, const float *gradients, size_t n,
                        double rate, const struct scp_optimiser *options);

/* teacher[n] = momentum * teacher + (1 - momentum) * student. */
enum scp_status scp_moving_average(float *teacher, const float *student, size_t n, double momentum);

/* ---- what a training is ---- */

#define SCP_TRAIN_MAX 16 /* models of a training, and groups */

/* Parameters with the network that reads them, or by themselves (an image, a width of a target).
 * What no group moves stays as it is: it is frozen. */
struct scp_model {
    const char *name; /* of its arrays NAME.parameters and NAME.state; "": without prefix */
    size_t parameters;
    size_t state; /* running statistics; 0 where there is no network */
    /* A teacher: a moving average of another model's parameters, taken after every step. It starts
     * where the caller lets it start and its state is its own. */
    int is_teacher;
    size_t student;  /* the number of that model */
    double momentum; /* 0 to 1 */
};

/* Parameters first .. first + count - 1 of a model, that move together. A step has phases 0 ..
 * phases - 1, one after the other: two networks that play against each other move in one each. */
struct scp_group {
    const char *name; /* of its arrays: ADAM: NAME.first_moment, NAME.second_moment; SGD:
                         NAME.velocity; "": without prefix */
    size_t model, first, count;
    struct scp_optimiser optimiser;
    double rate;     /* factor of the learning rate */
    uint32_t phases; /* bit k: it moves in phase k */
    uint64_t every;  /* it moves in steps that are multiples of it; 1: all */
};

/* What a step reads and writes of a model. */
struct scp_values {
    const float *parameters;
    float *state;
    float *gradients; /* backward adds to them; NULL: nothing of the model moves in this phase */
};

struct scp_training {
    struct scp_model models[SCP_TRAIN_MAX];
    struct scp_group groups[SCP_TRAIN_MAX];
    size_t n_models, n_groups, phases;
    size_t losses; /* of a step, all phases */
    size_t bytes;  /* that self holds, and a step for a moment */
    void *self;
    /* Draws a step and runs the networks on it: the losses of the phase (the others are left alone)
     * and whatever backward needs. */
    enum scp_status (*forward)(void *self, size_t phase, double *losses,
                               const struct scp_values *models, uint64_t step,
                               const struct scp_control *control);
    enum scp_status (*backward)(void *self, size_t phase, const struct scp_values *models,
                                const struct scp_control *control);
    void (*free)(void *self);
};

/* The usual case, in a training whose functions are the caller's: one network whose parameters all
 * move in every step, by the optimiser of the options. */
void scp_training_of_network(struct scp_training *training, size_t parameters, size_t state,
                             const struct scp_train_options *options);

/* Trainings are measured before they are made: SCP_MEASURE leaves self NULL and holds nothing. */
enum scp_making { SCP_MEASURE = 0, SCP_MAKE };

/* ---- the loop ---- */

#define SCP_TRAIN_MAX_ARRAYS (4 * SCP_TRAIN_MAX)
#define SCP_ARRAY_NAME 64

struct scp_array {
    char name[SCP_ARRAY_NAME];
    size_t length; /* float32 numbers */
};

/* The arrays of a training, rows[SCP_TRAIN_MAX_ARRAYS]; returns how many: parameters and state of
 * every model, then the moments of every group. */
size_t scp_training_arrays(struct scp_array *rows, const struct scp_training *training);

/* All that a trainer of it holds, and a step for a moment. */
size_t scp_training_bytes(const struct scp_training *training);

struct scp_trainer;

/* The trainer owns the training; where it cannot be made, the training is freed. SCP_EINVAL: a
 * group is not inside its model, two overlap in a phase, a teacher moves, or names are too long. */
enum scp_status scp_trainer_create(struct scp_trainer **trainer,
                                   const struct scp_training *training);
void scp_trainer_free(struct scp_trainer *trainer);

/* Its arrays, as scp_training_arrays; they live as long as the trainer. */
const struct scp_array *scp_trainer_arrays(const struct scp_trainer *trainer, size_t *count);

/* Runs steps first .. first + count - 1 on arrays (in the order of scp_training_arrays), step
 * first + i with rates[i]; losses[count][losses].
 * *done steps were completed. SCP_OK with *done < count: the loss of step first + *done is not
 * finite (losses tells which), and parameters and moments were left as before it (with several
 * phases the state too). On SCP_EINTERRUPTED the step that was running is half done: its numbers
 * are not to be kept. */
enum scp_status scp_trainer_run(struct scp_trainer *trainer, double *losses, size_t *done,
                                float *const *arrays, uint64_t first, const double *rates,
                                size_t count, const struct scp_control *control);

#endif
