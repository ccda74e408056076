/* Passes over whole maps: every step of a network that is not a convolution, forward and backward.
 * They run on all threads, a line of a map at a time. Padded lanes of an output stay zero because
 * those of the inputs are. Here: those that go pixel by pixel. */
#ifndef SCP_NN_PASS_H
#define SCP_NN_PASS_H

#include <stdint.h>

#include "map.h"

struct scp_pass {
    struct scp_map out; /* written: values, or backward the gradient at the input */
    int accumulate;     /* adds to it */
    struct scp_source in;
    struct scp_map gradient, values; /* backward: at the output, and the output itself */
    struct scp_map other;            /* multiply: the factor */
    enum { SCP_SIGMOID, SCP_TANH } curve;
    int align;             /* resize: corners fall on corners; else pixel areas match */
    float rate;            /* dropout */
    size_t factor, taps;   /* average pool, upsample; max pool: 3, or 0 for 2 x 2 */
    uint64_t seed, stream; /* of its draws */
    size_t first;          /* zero */
    float *scratch;        /* for the lines: the workspace behind the identity */
};

struct scp_line {
    size_t image, y, worker;
};
typedef void (*scp_pass_line)(const struct scp_pass *pass, struct scp_line line);

/* Calls `line` for each line of `out`. Where `in` defers nothing, it gets an identity: 3 * lanes
 * floats of the workspace. */
enum scp_status scp_pass_run(const struct scp_pass *pass, scp_pass_line line,
                             const struct scp_run *run);

/* out = z(in). The only pass that takes an input with a dense stride. */
void scp_pass_copy(const struct scp_pass *pass, struct scp_line at);
/* out (+)= in, as it is stored. */
void scp_pass_add(const struct scp_pass *pass, struct scp_line at);
/* out = 0 in the channels from `first` on and in the padding. */
void scp_pass_zero(const struct scp_pass *pass, struct scp_line at);

/* out = curve(z(in)); backward from the values out of the curve itself. */
void scp_pass_curve(const struct scp_pass *pass, struct scp_line at);
void scp_pass_curve_backward(const struct scp_pass *pass, struct scp_line at);

/* out = z(in) - log sum exp z(in), over the channels of each pixel; backward from its values. */
void scp_pass_log_softmax(const struct scp_pass *pass, struct scp_line at);
void scp_pass_log_softmax_backward(const struct scp_pass *pass, struct scp_line at);

/* out (+)= in * other, as they are stored. */
void scp_pass_multiply(const struct scp_pass *pass, struct scp_line at);

/* Zeroes a share `rate` of z(in) and scales the others by 1 / (1 - rate), the same ones for the
 * same (seed, stream): forward with the values, backward with gradients. */
void scp_pass_dropout(const struct scp_pass *pass, struct scp_line at);

/* In place: the gradient of z, in.map, becomes that of the raw values. */
enum scp_status scp_pass_backward(const struct scp_pass *pass, const struct scp_run *run);

#endif
