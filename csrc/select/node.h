/* One node of branch and bound: rows taken, rows still open, and the work done on it. */
#ifndef SCP_SELECT_NODE_H
#define SCP_SELECT_NODE_H

#include "subgradient.h"

/* Multipliers, shared by the two children of a node. */
struct scp_multipliers {
    size_t users;
    float lambda[];
};

struct scp_node {
    double bound;  /* no set below this node scores more */
    size_t parent; /* its place among the records of a trace */
    int taken;     /* the row that its parent branched on is taken */
    size_t n_taken, n_open;
    uint32_t *rows; /* [n_taken] taken, then [n_open] open, each ascending */
    struct scp_multipliers *multipliers;
};

/* What all nodes of a wave read. */
struct scp_wave {
    const struct scp_select *p;
    size_t m;
    const uint32_t *twin; /* [n] lowest row with the same values, NULL: rules tell rows apart */
    double incumbent;     /* frozen during a wave */
};

/* Room for the work on one node, and its outcome. */
struct scp_node_work {
    struct scp_node *node; /* the input; rows and bound are updated */
    struct scp_subgradient subgradient;
    float *floor;     /* [q] */
    float *best;      /* [q] the best multipliers of this node */
    double *rho;      /* [n] */
    double *presence; /* [n] by row: how often the relaxation chose it */
    uint32_t *taken, *open, *trial;
    uint8_t *drop; /* [n] */
    size_t n_taken, n_open;

    double *trace; /* [n_trace], the moves as in struct scp_select_trace; NULL: not wanted */
    size_t n_trace, n_moves, best_move;

    int closed;      /* nothing is left below this node */
    uint32_t branch; /* else the row to branch on */
    double score;    /* of found[], -infinity: none */
    uint32_t *found; /* sorted */
    size_t n_found;
};

/* m: how many rows a traced search chooses; 0: no trace. */
enum scp_status scp_node_work_create(struct scp_node_work *w, const struct scp_select *p, size_t m);
void scp_node_work_free(struct scp_node_work *w);

/* Bounds, fixes rows, and closes the node or chooses a row to branch on. Never fails. */
void scp_node_process(struct scp_node_work *w, const struct scp_wave *wave);

#endif
