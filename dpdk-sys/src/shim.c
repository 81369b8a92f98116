/* One function for each static inline or macro of DPDK that Rust calls. */
#define _GNU_SOURCE
#include <stdio.h>

#include "shim.h"

uint16_t cw_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **into, uint16_t limit)
{
	return rte_eth_rx_burst(port, queue, into, limit);
}

uint16_t cw_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, frames, count);
}

struct rte_mbuf *cw_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

void cw_free(struct rte_mbuf *frame)
{
	rte_pktmbuf_free(frame);
}

void cw_free_segment(struct rte_mbuf *segment)
{
	rte_pktmbuf_free_seg(segment);
}

void cw_attach(struct rte_mbuf *clone, struct rte_mbuf *piece)
{
	rte_pktmbuf_attach(clone, piece);
}

uint16_t cw_data_room(struct rte_mempool *pool)
{
	return rte_pktmbuf_data_room_size(pool);
}

uint16_t cw_external_refcnt(const struct rte_mbuf *frame)
{
	return rte_mbuf_ext_refcnt_read(frame->shinfo);
}

void cw_tel_list(struct rte_tel_data *data)
{
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
}

int cw_tel_name(struct rte_tel_data *data, const char *name)
{
	return rte_tel_data_add_array_string(data, name);
}

void cw_tel_numbers(struct rte_tel_data *data)
{
	rte_tel_data_start_dict(data);
}

int cw_tel_number(struct rte_tel_data *data, const char *name, uint64_t number)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	return rte_tel_data_add_dict_uint(data, name, number);
#else
	return rte_tel_data_add_dict_u64(data, name, number);
#endif
}

uint64_t cw_cycles(void)
{
	return rte_rdtsc();
}

int cw_errno(void)
{
	return rte_errno;
}

int cw_link_state(uint16_t port, struct cw_link *link)
{
	struct rte_eth_link now = {0};
	int rc = rte_eth_link_get_nowait(port, &now);

	link->up = now.link_status == RTE_ETH_LINK_UP;
	link->full_duplex = now.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	link->speed = now.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : now.link_speed;
	return rc;
}

/* rte_vlog() flushes after each message, so this runs inside it and the current level is that of the message. */
static ssize_t write_line(void *line, const char *text, size_t length)
{
	((cw_log_line)line)((uint32_t)rte_log_cur_msg_loglevel(), text, length);
	return (ssize_t)length;
}

int cw_log_to(cw_log_line line)
{
	cookie_io_functions_t functions = {.write = write_line};
	FILE *stream = fopencookie((void *)line, "w", functions);

	return stream == NULL ? -1 : rte_openlog_stream(stream);
}
