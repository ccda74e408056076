/* The graph of a network: which layers are legal, and where their numbers lie. */
#include "graph.h"

#include <math.h>
#include <string.h>

#include "scp/alloc.h"

#define MAX_LAYERS 65536
#define MAX_CHANNELS 65536
#define MAX_KERNEL 255

size_t scp_layer_inputs(const struct scp_layer *layer) {
    size_t n = 0;
    while (n < SCP_LAYER_INPUTS && layer->inputs[n] >= 0) n++;
    return n;
}

struct scp_conv scp_layer_conv(const struct scp_graph *graph, size_t layer) {
    const struct scp_layer *l = graph->layers + layer;
    const size_t in = graph->channels[l->inputs[0]];
    const int transposed = l->op == SCP_OP_TRANSPOSED;
    return (struct scp_conv){in,          l->channels, l->kernel_y, l->kernel_x, l->stride,
                             l->dilation, l->pad_y,    l->pad_x,    transposed};
}

static int within(uint32_t value, uint32_t min, uint32_t max) {
    return value >= min && value <= max;
}

static int legal_inputs(const struct scp_layer *layers, size_t i) {
    const struct scp_layer *l = layers + i;
    const size_t n = scp_layer_inputs(l);
    const size_t two = l->op == SCP_OP_CONCAT || l->op == SCP_OP_ADD || l->op == SCP_OP_MULTIPLY;
    const size_t needed = l->op == SCP_OP_INPUT ? 0 : 1 + two;
    if (n < needed || n > (l->op == SCP_OP_CONCAT ? SCP_LAYER_INPUTS : needed)) return 0;
    for (size_t k = 0; k < n; k++)
        if ((size_t)l->inputs[k] >= i) return 0;
    return 1;
}

static int legal(const struct scp_layer *layers, size_t i) {
    const struct scp_layer *l = layers + i;
    if ((unsigned)l->op >= SCP_OP_COUNT || (l->op == SCP_OP_INPUT) != (i == 0)) return 0;
    if (!legal_inputs(layers, i) || l->output > 1) return 0;
    switch (l->op) {
    case SCP_OP_INPUT:
        return within(l->channels, 1, MAX_CHANNELS) && !l->output;
    case SCP_OP_CONV:
    case SCP_OP_TRANSPOSED:
        return within(l->channels, 1, MAX_CHANNELS) && within(l->kernel_y, 1, MAX_KERNEL) &&
               within(l->kernel_x, 1, MAX_KERNEL) && within(l->stride, 1, MAX_KERNEL) &&
               within(l->dilation, 1, MAX_KERNEL) && l->pad_y <= l->dilation * (l->kernel_y - 1) &&
               l->pad_x <= l->dilation * (l->kernel_x - 1) && l->bias <= 1;
    case SCP_OP_BATCH_NORM:
        return l->epsilon > 0 && isfinite(l->epsilon) && l->momentum >= 0 && l->momentum <= 1;
    case SCP_OP_INSTANCE_NORM:
        return l->epsilon > 0 && isfinite(l->epsilon);
    case SCP_OP_LEAKY:
        return l->slope >= 0 && l->slope <= 1;
    case SCP_OP_RESIZE:
        return within(l->factor, 1, 64) && l->align <= 1;
    case SCP_OP_MAX_POOL:
        return l->kernel_y == l->kernel_x && (l->kernel_y == 0 || l->kernel_y == 3);
    case SCP_OP_DROPOUT:
        return l->rate >= 0 && l->rate < 1;
    case SCP_OP_AVERAGE_POOL:
        return within(l->factor, 1, 64);
    case SCP_OP_UPSAMPLE:
        return within(l->factor, 1, 64) && l->kernel_y == l->kernel_x &&
               (l->kernel_y == 2 * l->factor || l->kernel_y == 4 * l->factor);
    default:
        return 1;
    }
}

/* Channels and blocks of layer i; 0 when its inputs do not fit together or sizes overflow. */
static int describe(struct scp_graph *graph, size_t i) {
    const struct scp_layer *l = graph->layers + i;
    struct scp_block *block = graph->blocks + i;
    size_t channels = l->op == SCP_OP_INPUT ? l->channels : graph->channels[l->inputs[0]];
    size_t parameters = 0, state = 0;
    switch (l->op) {
    case SCP_OP_CONV:
    case SCP_OP_TRANSPOSED:
        if (scp_size_mul(l->kernel_y * l->kernel_x, channels * l->channels, &parameters)) return 0;
        parameters += l->bias ? l->channels : 0;
        channels = l->channels;
        break;
    case SCP_OP_BATCH_NORM:
        parameters = state = 2 * channels;
        break;
    case SCP_OP_CONCAT:
        channels = 0;
        for (size_t k = 0; k < scp_layer_inputs(l); k++) channels += graph->channels[l->inputs[k]];
        if (channels > MAX_CHANNELS) return 0;
        break;
    case SCP_OP_ADD:
    case SCP_OP_MULTIPLY:
        if (graph->channels[l->inputs[1]] != channels) return 0;
        break;
    default:
        break;
    }
    if (parameters > SIZE_MAX / 8 - graph->n_parameters) return 0;
    graph->channels[i] = channels;
    *block = (struct scp_block){graph->n_parameters, parameters, graph->n_state, state};
    graph->n_parameters += parameters;
    graph->n_state += state;
    graph->n_outputs += l->output;
    for (size_t k = 0; k < scp_layer_inputs(l); k++) graph->uses[l->inputs[k]]++;
    return 1;
}

enum scp_status scp_graph_create(struct scp_graph **out, size_t *bad,
                                 const struct scp_layer *layers, size_t count) {
    *bad = 0;
    if (count < 2 || count > MAX_LAYERS) return SCP_EINVAL;
    enum scp_status status = SCP_ENOMEM;
    struct scp_graph *graph = scp_calloc(1, sizeof *graph);
    if (!graph) return SCP_ENOMEM;
    graph->count = count;
    graph->layers = scp_alloc(count, sizeof *graph->layers);
    graph->blocks = scp_calloc(count, sizeof *graph->blocks);
    graph->channels = scp_calloc(count, sizeof *graph->channels);
    graph->uses = scp_calloc(count, sizeof *graph->uses);
    if (!graph->layers || !graph->blocks || !graph->channels || !graph->uses) goto fail;
    memcpy(graph->layers, layers, count * sizeof *layers);
    status = SCP_EINVAL;
    for (size_t i = 0; i < count; i++) {
        *bad = i;
        if (!legal(graph->layers, i) || !describe(graph, i)) goto fail;
    }
    for (size_t i = 0; i < count; i++) { /* a layer that nobody reads has no meaning */
        *bad = i;
        if (!graph->uses[i] && !layers[i].output) goto fail;
    }
    *out = graph;
    return SCP_OK;
fail:
    scp_graph_free(graph);
    return status;
}

void scp_graph_free(struct scp_graph *graph) {
    if (!graph) return;
    scp_free(graph->layers);
    scp_free(graph->blocks);
    scp_free(graph->channels);
    scp_free(graph->uses);
    scp_free(graph);
}

size_t scp_graph_layers(const struct scp_graph *graph) {
    return graph->count;
}

size_t scp_graph_parameters(const struct scp_graph *graph) {
    return graph->n_parameters;
}

size_t scp_graph_state(const struct scp_graph *graph) {
    return graph->n_state;
}

size_t scp_graph_outputs(const struct scp_graph *graph) {
    return graph->n_outputs;
}

void scp_graph_block(struct scp_block *block, const struct scp_graph *graph, size_t layer) {
    *block = graph->blocks[layer];
}
