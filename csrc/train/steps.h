/* The loop of steps that every trainer runs. Private to csrc/train. */
#ifndef SCP_TRAIN_STEPS_H
#define SCP_TRAIN_STEPS_H

#include "scp/train.h"

/* What a trainer adds to it; self is the trainer. */
struct train_steps {
    void *self;
    /* Draws a step, runs the network on it; losses, and their gradients in the outputs. */
    enum scp_status (*forward)(void *self, double *losses, const float *parameters, float *state,
                               uint64_t step, const struct scp_control *control);
    /* gradients += those of the parameters. */
    enum scp_status (*backward)(void *self, float *gradients, const float *parameters,
                                const struct scp_control *control);
    size_t losses, parameters;
    float *gradients; /* [parameters] */
    const struct scp_adam_options *adam;
};

/* As scp_train_run. */
enum scp_status train_steps(const struct train_steps *steps, double *losses, size_t *done,
                            float *parameters, float *state, float *m, float *v, uint64_t first,
                            const double *rates, size_t count, const struct scp_control *control);

#endif
