/* Status codes of the core. Every function that can fail returns one; sizes and results leave by
 * pointer. The core never prints, exits or sets errno. The binding maps each code to one Python
 * exception (csrc/python/binding.c). */
#ifndef SCP_STATUS_H
#define SCP_STATUS_H

enum scp_status {
    SCP_OK = 0,
    SCP_ENOMEM = 1,       /* an allocation failed, or a size does not fit size_t */
    SCP_EINVAL = 2,       /* an argument breaks its documented contract */
    SCP_EINTERRUPTED = 3, /* the caller's poll asked to stop; outputs are unspecified */
    SCP_EINFEASIBLE = 4,  /* no answer satisfies the constraints */
    SCP_EUNSUPPORTED = 5, /* this CPU or build cannot do it */
    SCP_ETHREAD = 6,      /* the system refused a thread, or a fork lost it */
    SCP_STATUS_COUNT
};

/* One English sentence for a code, never NULL; static storage. */
const char *scp_status_text(enum scp_status status);

#endif
