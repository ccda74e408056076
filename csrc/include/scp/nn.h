/* Networks: a static graph of layers, compiled to plans, run forward and backward.
 *
 * A graph is an array of layers in topological order; layer i may only read layers before it. It
 * owns no numbers: parameters, their gradients and the state (running statistics) are three flat
 * float32 arrays of the caller, laid out by the graph. A plan binds a graph to a batch and an image
 * size: shapes, fusion, one slab of memory. Plans of different size share one set of parameters.
 *
 * Maps are channels last. Networks read float32 images [batch][height][width][channels] and give
 * maps (csrc/nn/map.h). Sums run in an order given by the shapes: the same bits at any number of
 * threads; across instruction sets results agree to float32 rounding. */
#ifndef SCP_NN_H
#define SCP_NN_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

enum scp_op {
    SCP_OP_INPUT = 0,     /* the images; exactly one, layer 0: channels */
    SCP_OP_CONV,          /* channels, kernel, stride, dilation, pad, bias */
    SCP_OP_TRANSPOSED,    /* transposed convolution: the same fields */
    SCP_OP_BATCH_NORM,    /* epsilon, momentum; gamma, beta; state mean, variance */
    SCP_OP_INSTANCE_NORM, /* epsilon; no parameters */
    SCP_OP_LEAKY,         /* value > 0 ? value : slope * value; slope 0 is ReLU */
    SCP_OP_SIGMOID,
    SCP_OP_TANH,
    SCP_OP_MAX_POOL,     /* kernel 0: 2 x 2, stride 2, floor; 3: 3 x 3, stride 2, pad 1 */
    SCP_OP_RESIZE,       /* bilinear, `factor` times larger; align: align_corners */
    SCP_OP_CONCAT,       /* 2 to 4 inputs along the channels */
    SCP_OP_ADD,          /* 2 inputs */
    SCP_OP_MEAN,         /* global average pool: 1 x 1; a linear layer is a 1 x 1 convolution */
    SCP_OP_DROPOUT,      /* rate */
    SCP_OP_AVERAGE_POOL, /* factor x factor, stride factor, floor */
    SCP_OP_UPSAMPLE,     /* `factor` times larger by a fixed transposed convolution, zeros outside:
                            kernel_y = kernel_x = 2 * factor: linear; 4 * factor: Keys' cubic, a = -1/2
                            (IEEE Trans. ASSP 29, 1981) */
    SCP_OP_MULTIPLY,     /* 2 inputs */
    SCP_OP_LOG_SOFTMAX,  /* over the channels of each pixel */
    SCP_OP_COUNT
};

#define SCP_LAYER_INPUTS 4

struct scp_layer {
    enum scp_op op;
    int32_t inputs[SCP_LAYER_INPUTS]; /* layer numbers, then -1 */
    uint32_t channels;                /* of the output: INPUT, CONV, TRANSPOSED; else 0 */
    uint32_t kernel_y, kernel_x, stride, dilation, pad_y, pad_x;
    uint32_t bias;   /* 0 or 1 */
    uint32_t factor; /* RESIZE, AVERAGE_POOL, UPSAMPLE */
    uint32_t align;  /* RESIZE: 0 or 1 */
    uint32_t output; /* 1: the caller reads this layer (and gives its gradient) */
    float slope;     /* LEAKY */
    float epsilon, momentum, rate;
};

struct scp_graph;

/* A layer's block in the flat arrays, in floats. Parameters of CONV: weights
 * [kernel_y][kernel_x][in][out], then bias[out]; BATCH_NORM: gamma[C], beta[C]. State of
 * BATCH_NORM: mean[C], variance[C]. */
struct scp_block {
    size_t parameters, n_parameters;
    size_t state, n_state;
};

/* Copies the layers. SCP_EINVAL: *bad is the first layer that is not legal. */
enum scp_status scp_graph_create(struct scp_graph **graph, size_t *bad,
                                 const struct scp_layer *layers, size_t count);
void scp_graph_free(struct scp_graph *graph);
size_t scp_graph_layers(const struct scp_graph *graph);
size_t scp_graph_parameters(const struct scp_graph *graph); /* floats */
size_t scp_graph_state(const struct scp_graph *graph);      /* floats */
size_t scp_graph_outputs(const struct scp_graph *graph);
void scp_graph_block(struct scp_block *block, const struct scp_graph *graph, size_t layer);

struct scp_plan;

enum scp_plan_mode {
    SCP_PLAN_EVAL = 0, /* running statistics, no dropout, buffers reused */
    SCP_PLAN_TRAIN = 1 /* batch statistics; backward is possible */
};

/* SCP_EINVAL: *bad is the layer whose shape does not fit. The slab is allocated here; bytes is its
 * size (graph, plan and outputs included). With plan NULL only *bytes is computed. */
enum scp_status scp_plan_create(struct scp_plan **plan, size_t *bytes, size_t *bad,
                                const struct scp_graph *graph, size_t batch, size_t height,
                                size_t width, enum scp_plan_mode mode);
void scp_plan_free(struct scp_plan *plan);

/* Shape of a layer's output in the plan: height, width, channels and multiply-adds of one image. */
struct scp_shape {
    size_t height, width, channels, macs;
};
void scp_plan_shape(struct scp_shape *shape, const struct scp_plan *plan, size_t layer);

/* An output (by order of its layer) and its gradient: [batch][height][width], `stride` floats from
 * pixel to pixel, zeros beyond `channels`. The gradient exists in SCP_PLAN_TRAIN; the caller fills
 * it, whole, between forward and backward. */
struct scp_output {
    const float *values;
    float *gradient;
    size_t height, width, channels, stride;
};
void scp_plan_output(struct scp_output *output, const struct scp_plan *plan, size_t index);

/* images[batch][height][width][channels of the input]: read again by backward. In SCP_PLAN_TRAIN
 * the running statistics in state are updated (unless NULL), and dropout draws from (seed, step).
 */
enum scp_status scp_plan_forward(struct scp_plan *plan, const float *parameters, float *state,
                                 const float *images, uint64_t seed, uint64_t step,
                                 const struct scp_control *control);

/* The parameters of a layer do not move: backward leaves their gradients alone and saves the work.
 * For a plan of SCP_PLAN_TRAIN; a layer without weights ignores it. */
void scp_plan_freeze(struct scp_plan *plan, size_t layer);

/* gradients += d(loss)/d(parameters), from the gradients of the outputs; NULL: none are wanted.
 * After the forward of the same plan and parameters. input_gradient: NULL, or
 * [batch][height][width][channels], overwritten. */
enum scp_status scp_plan_backward(struct scp_plan *plan, float *gradients, float *input_gradient,
                                  const float *parameters, const struct scp_control *control);

#endif
