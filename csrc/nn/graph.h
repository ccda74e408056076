/* The graph behind scp/nn.h, for the files of this folder. Read-only after creation. */
#ifndef SCP_NN_GRAPH_H
#define SCP_NN_GRAPH_H

#include "conv.h"
#include "scp/nn.h"

struct scp_graph {
    size_t count, n_parameters, n_state, n_outputs;
    struct scp_layer *layers; /* [count] */
    struct scp_block *blocks; /* [count] */
    size_t *channels;         /* [count], of each layer's output */
    size_t *uses;             /* [count], how often a layer is read by others */
};

/* Inputs of a layer: the leading numbers that are not -1. */
size_t scp_layer_inputs(const struct scp_layer *layer);
/* The geometry of a CONV or TRANSPOSED layer. */
struct scp_conv scp_layer_conv(const struct scp_graph *graph, size_t layer);

#endif
