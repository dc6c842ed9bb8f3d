/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections by librdmacm, as it is: within a process, and between two. */
#include <fcntl.h>
#include <rdma/rdma_verbs.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connections_vt.h"

#define REQUEST_BYTES 56 /* what a program may say with each message */
#define REPLY_BYTES 196
#define REJECT_BYTES 148
#define PLENTY 1024
#define ASKERS 17

/* Both ends have channels of their own. */
struct both {
	struct rdma_event_channel *server_channel, *client_channel;
	struct rdma_cm_id *listener, *server, *client;
};

static void both_start(struct both *both, int backlog)
{
	memset(both, 0, sizeof(*both));
	both->server_channel = cm_channel();
	both->client_channel = cm_channel();
	both->listener = cm_listen(both->server_channel, RDMA_PS_TCP, backlog);
	both->client = cm_resolve(both->client_channel, RDMA_PS_TCP,
				  ntohs(rdma_get_src_port(both->listener)));
	cm_queue_pair(both->client);
}

static void both_request(struct both *both, const void *data, size_t bytes)
{
	struct rdma_conn_param param = cm_param(data, bytes);
	struct rdma_cm_event *event;

	VT_EQUAL(rdma_connect(both->client, &param), 0);
	event = cm_event(both->server_channel, RDMA_CM_EVENT_CONNECT_REQUEST);
	both->server = event->id;
	VT_CHECK(event->listen_id == both->listener);
	VT_EQUAL(event->param.conn.private_data_len, REQUEST_BYTES);
	if (bytes)
		VT_CHECK(!memcmp(event->param.conn.private_data, data, bytes));
	VT_EQUAL(event->param.conn.qp_num, both->client->qp->qp_num);
	VT_EQUAL(rdma_ack_cm_event(event), 0);
}

static void both_accept(struct both *both, const void *data, size_t bytes)
{
	struct rdma_conn_param param = cm_param(data, bytes);
	struct rdma_cm_event *event;

	cm_queue_pair(both->server);
	VT_EQUAL(rdma_accept(both->server, &param), 0);
	event = cm_event(both->client_channel, RDMA_CM_EVENT_ESTABLISHED);
	VT_EQUAL(event->param.conn.private_data_len, REPLY_BYTES);
	if (bytes)
		VT_CHECK(!memcmp(event->param.conn.private_data, data, bytes));
	VT_EQUAL(rdma_ack_cm_event(event), 0);
	VT_EQUAL(cm_expect(both->server_channel, RDMA_CM_EVENT_ESTABLISHED), 0);
}

static void both_connect(struct both *both)
{
	both_start(both, 0);
	both_request(both, NULL, 0);
	both_accept(both, NULL, 0);
}

static void both_end(struct both *both)
{
	if (both->server)
		cm_end(both->server);
	cm_end(both->listener);
	if (both->client)
		cm_end(both->client);
	rdma_destroy_event_channel(both->server_channel);
	if (both->client_channel)
		rdma_destroy_event_channel(both->client_channel);
}

static void pass(struct rdma_cm_id *from, struct rdma_cm_id *to)
{
	static uint8_t text[64];
	struct ibv_wc wc;
	struct ibv_mr *mr = rdma_reg_msgs(to, text, sizeof(text));

	VT_CHECK(mr);
	VT_EQUAL(rdma_post_recv(to, NULL, text, sizeof(text), mr), 0);
	VT_EQUAL(
		rdma_post_send(from, NULL, "hello", 0, NULL, IBV_SEND_SIGNALED),
		0);
	VT_EQUAL(rdma_get_recv_comp(to, &wc), 1);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(rdma_get_send_comp(from, &wc), 1);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(rdma_dereg_mr(mr), 0);
}

static void a_connection_lives_and_ends(void)
{
	uint8_t request[REQUEST_BYTES], reply[REPLY_BYTES];
	struct both both;

	vt_fill(request, sizeof(request), 1);
	vt_fill(reply, sizeof(reply), 2);
	both_start(&both, 0);
	both_request(&both, request, sizeof(request));
	both_accept(&both, reply, sizeof(reply));
	VT_EQUAL(rdma_get_dst_port(both.client),
		 rdma_get_src_port(both.listener));
	VT_EQUAL(rdma_get_dst_port(both.server),
		 rdma_get_src_port(both.client));
	pass(both.client, both.server);
	pass(both.server, both.client);
	VT_EQUAL(rdma_disconnect(both.client), 0);
	VT_EQUAL(cm_expect(both.server_channel, RDMA_CM_EVENT_DISCONNECTED), 0);
	VT_EQUAL(rdma_disconnect(both.server), 0);
	VT_EQUAL(cm_expect(both.client_channel, RDMA_CM_EVENT_DISCONNECTED), 0);
	VT_EQUAL(cm_expect(both.client_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT),
		 0);
	VT_EQUAL(cm_expect(both.server_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT),
		 0);
	both_end(&both);
}

static void a_rejection_says_why(void)
{
	uint8_t data[REJECT_BYTES];
	struct rdma_cm_event *event;
	struct both both;

	vt_fill(data, sizeof(data), 3);
	both_start(&both, 0);
	both_request(&both, NULL, 0);
	VT_EQUAL(rdma_reject(both.server, data, sizeof(data)), 0);
	event = cm_event(both.client_channel, RDMA_CM_EVENT_REJECTED);
	VT_EQUAL(event->status, 28);
	VT_EQUAL(event->param.conn.private_data_len, sizeof(data));
	VT_CHECK(!memcmp(event->param.conn.private_data, data, sizeof(data)));
	VT_EQUAL(rdma_ack_cm_event(event), 0);
	both_end(&both);
}

static void a_port_without_a_listener_refuses(void)
{
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *other = cm_listen(channel, RDMA_PS_TCP, 0);
	uint16_t port = ntohs(rdma_get_src_port(other));
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct rdma_cm_id *id;

	cm_end(other);
	id = cm_resolve(channel, RDMA_PS_TCP, port);
	cm_queue_pair(id);
	VT_EQUAL(rdma_connect(id, &param), 0);
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_REJECTED), 8);
	cm_end(id);
	rdma_destroy_event_channel(channel);
}

static void a_port_belongs_to_one(void)
{
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *first = cm_listen(channel, RDMA_PS_TCP, 0);
	struct rdma_cm_id *second = cm_id(channel, RDMA_PS_TCP);
	struct rdma_cm_id *datagrams = cm_id(channel, RDMA_PS_UDP);
	struct sockaddr_in address = cm_address(
		ntohs(rdma_get_src_port(first)));

	VT_EQUAL(rdma_bind_addr(second, (struct sockaddr *)&address), -1);
	VT_EQUAL(errno, EADDRINUSE);
	VT_EQUAL(rdma_bind_addr(datagrams, (struct sockaddr *)&address), 0);
	cm_end(first);
	VT_EQUAL(rdma_bind_addr(second, (struct sockaddr *)&address), 0);
	VT_EQUAL(rdma_bind_addr(second, (struct sockaddr *)&address), -1);
	VT_EQUAL(errno, EINVAL);
	cm_end(second);
	cm_end(datagrams);
	second = cm_id(channel, RDMA_PS_TCP);
	address.sin_addr.s_addr = htonl(0x08080808);
	VT_EQUAL(rdma_bind_addr(second, (struct sockaddr *)&address), -1);
	VT_EQUAL(errno, EADDRNOTAVAIL);
	cm_end(second);
	rdma_destroy_event_channel(channel);
}

static void what_is_too_long_is_refused(void)
{
	uint8_t data[255] = { 0 };
	struct rdma_conn_param param = cm_param(data, REQUEST_BYTES + 1);
	struct both both;

	both_start(&both, 0);
	VT_EQUAL(rdma_connect(both.client, &param), -1);
	VT_EQUAL(errno, EINVAL);
	both_request(&both, data, REQUEST_BYTES);
	VT_EQUAL(rdma_reject(both.server, data, REJECT_BYTES + 1), -1);
	VT_EQUAL(errno, EINVAL);
	cm_queue_pair(both.server);
	param = cm_param(data, REPLY_BYTES + 1);
	VT_EQUAL(rdma_accept(both.server, &param), -1);
	VT_EQUAL(errno, EINVAL);
	/* What could not be accepted is rejected, as by a kernel. */
	VT_EQUAL(cm_expect(both.client_channel, RDMA_CM_EVENT_REJECTED), 28);
	both_end(&both);
}

static void a_full_backlog_rejects(void)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct rdma_cm_event *event;
	struct rdma_cm_id *later;
	struct both both;

	both_start(&both, 1);
	VT_EQUAL(rdma_connect(both.client, &param), 0);
	VT_CHECK(vt_readable(both.server_channel->fd, 30000));
	later = cm_resolve(both.client_channel, RDMA_PS_TCP,
			   ntohs(rdma_get_src_port(both.listener)));
	cm_queue_pair(later);
	VT_EQUAL(rdma_connect(later, &param), 0);
	VT_EQUAL(cm_expect(both.client_channel, RDMA_CM_EVENT_REJECTED), 28);
	/* Who is not asked any more is told. */
	cm_end(both.listener);
	event = cm_event(both.client_channel, RDMA_CM_EVENT_REJECTED);
	VT_CHECK(event->id == both.client);
	VT_EQUAL(rdma_ack_cm_event(event), 0);
	cm_end(later);
	cm_end(both.client);
	rdma_destroy_event_channel(both.client_channel);
	rdma_destroy_event_channel(both.server_channel);
}

static void a_channel_waits_as_its_descriptor_says(void)
{
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_event *event;
	struct rdma_cm_id *id;
	int copy;

	VT_EQUAL(fcntl(channel->fd, F_SETFL, O_NONBLOCK), 0);
	VT_EQUAL(rdma_get_cm_event(channel, &event), -1);
	VT_EQUAL(errno, EAGAIN);
	VT_CHECK(!vt_readable(channel->fd, 0));
	copy = dup(channel->fd);
	id = cm_resolve(channel, RDMA_PS_TCP, 9);
	/* Another descriptor of the same file is as good. */
	VT_EQUAL(close(channel->fd), 0);
	channel->fd = copy;
	id->channel->fd = copy;
	VT_EQUAL(rdma_destroy_id(id), 0);
	VT_CHECK(!vt_readable(channel->fd, 0));
	rdma_destroy_event_channel(channel);
}

/* As a kernel does with files that nobody has open. */
static void a_closed_channel_disconnects(void)
{
	struct both both;

	both_connect(&both);
	VT_EQUAL(close(both.client_channel->fd), 0);
	VT_EQUAL(cm_expect(both.server_channel, RDMA_CM_EVENT_DISCONNECTED), 0);
	both.client = NULL;
	both.client_channel = NULL;
	both_end(&both);
}

static void datagrams_have_an_answer(void)
{
	struct rdma_event_channel *servers = cm_channel();
	struct rdma_event_channel *clients = cm_channel();
	struct rdma_cm_id *listener = cm_listen(servers, RDMA_PS_UDP, 0);
	struct rdma_conn_param param = cm_param("ask", 4);
	struct rdma_cm_id *id, *asked;
	struct rdma_cm_event *event;
	bool rejects;
	int i;

	for (i = 0; i < 2; i++) {
		rejects = i != 0;
		id = cm_resolve(clients, RDMA_PS_UDP,
				ntohs(rdma_get_src_port(listener)));
		cm_queue_pair(id);
		VT_EQUAL(rdma_connect(id, &param), 0);
		event = cm_event(servers, RDMA_CM_EVENT_CONNECT_REQUEST);
		VT_CHECK(!memcmp(event->param.ud.private_data, "ask", 4));
		asked = event->id;
		VT_EQUAL(rdma_ack_cm_event(event), 0);
		cm_queue_pair(asked);
		param.qp_num = asked->qp->qp_num;
		VT_EQUAL(rejects ? rdma_reject(asked, NULL, 0) :
				   rdma_accept(asked, &param),
			 0);
		event = cm_event(clients, rejects ? RDMA_CM_EVENT_UNREACHABLE :
						    RDMA_CM_EVENT_ESTABLISHED);
		VT_EQUAL(event->status, rejects ? 2 : 0);
		if (!rejects) {
			VT_EQUAL(event->param.ud.qp_num, asked->qp->qp_num);
			VT_EQUAL(event->param.ud.qkey, RDMA_UDP_QKEY);
		}
		VT_EQUAL(rdma_ack_cm_event(event), 0);
		cm_end(asked);
		cm_end(id);
	}
	cm_end(listener);
	rdma_destroy_event_channel(servers);
	rdma_destroy_event_channel(clients);
}

static void ids_are_many(void)
{
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *ids[PLENTY];
	size_t i;

	for (i = 0; i < PLENTY; i++)
		ids[i] = cm_resolve(channel, RDMA_PS_TCP, 9);
	for (i = 0; i < PLENTY; i++)
		cm_end(ids[i]);
	rdma_destroy_event_channel(channel);
}

/* More events than a socket holds bytes. */
static void events_are_many(void)
{
	struct rdma_event_channel *channel = cm_channel();
	struct sockaddr_in address = cm_address(9);
	struct rdma_cm_id *ids[PLENTY];
	size_t i;

	for (i = 0; i < PLENTY; i++) {
		ids[i] = cm_id(channel, RDMA_PS_TCP);
		VT_EQUAL(rdma_resolve_addr(ids[i], NULL,
					   (struct sockaddr *)&address, 1000),
			 0);
	}
	for (i = 0; i < PLENTY / 2; i++)
		VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED), 0);
	for (i = 0; i < PLENTY; i++)
		cm_end(ids[i]);
	VT_CHECK(!vt_readable(channel->fd, 0));
	rdma_destroy_event_channel(channel);
}

/* DISCONNECT of the first id, as librdmacm would write it. */
static int raw_disconnect(int fd)
{
	static const struct {
		uint32_t command;
		uint16_t in, out;
		uint32_t id;
	} raw = { .command = 10, .in = sizeof(raw.id) };

	return write(fd, &raw, sizeof(raw)) < 0 ? errno : 0;
}

static void a_child_leaves_its_parents_channel_alone(void)
{
	struct both both;
	int status;
	pid_t child;

	both_connect(&both);
	child = fork();
	if (!child)
		_exit(raw_disconnect(both.client_channel->fd) == EIO ? 0 : 1);
	VT_CHECK(waitpid(child, &status, 0) == child);
	VT_EQUAL(status, 0);
	pass(both.client, both.server);
	VT_CHECK(!vt_readable(both.server_channel->fd, 0));
	both_end(&both);
}

/* Two processes: how the client ends, without any farewell. */
enum end { END_BY_EXIT, END_BY_KILL, END_BY_EXEC };

static void client_end(int fd, enum end end)
{
	switch (end) {
	case END_BY_EXIT:
		exit(0);
	case END_BY_KILL:
		raise(SIGKILL);
		break;
	case END_BY_EXEC: /* and lives on until the other one has noticed */
		dup2(fd, STDIN_FILENO);
		execl("/bin/cat", "cat", NULL);
		break;
	}
	_exit(1);
}

static void client_run(int fd, void *argument)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *id;
	uint16_t port;

	vt_hear(fd, &port, sizeof(port));
	id = cm_resolve(channel, RDMA_PS_TCP, port);
	cm_queue_pair(id);
	VT_EQUAL(rdma_connect(id, &param), 0);
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_ESTABLISHED), 0);
	vt_sync(fd);
	client_end(fd, *(enum end *)argument);
}

static void process_join(struct vt_peer *peer, enum end end)
{
	int status;

	VT_EQUAL(shutdown(peer->fd, SHUT_WR), 0);
	VT_EQUAL(waitpid(peer->pid, &status, 0), peer->pid);
	VT_CHECK(end == END_BY_KILL ?
			 WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL :
			 WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(peer->fd);
}

static void disconnects(enum end end)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct vt_peer peer = vt_fork(client_run, &end);
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *listener = cm_listen(channel, RDMA_PS_TCP, 0);
	uint16_t port = ntohs(rdma_get_src_port(listener));
	struct rdma_cm_event *event;
	struct rdma_cm_id *id;

	vt_tell(peer.fd, &port, sizeof(port));
	event = cm_event(channel, RDMA_CM_EVENT_CONNECT_REQUEST);
	id = event->id;
	VT_EQUAL(rdma_ack_cm_event(event), 0);
	cm_queue_pair(id);
	VT_EQUAL(rdma_accept(id, &param), 0);
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_ESTABLISHED), 0);
	vt_sync(peer.fd);
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_DISCONNECTED), 0);
	process_join(&peer, end);
	cm_end(id);
	cm_end(listener);
	rdma_destroy_event_channel(channel);
}

static void a_process_that_ends_disconnects(void)
{
	disconnects(END_BY_EXIT);
}

static void a_process_that_is_killed_disconnects(void)
{
	disconnects(END_BY_KILL);
}

static void a_program_that_is_replaced_disconnects(void)
{
	disconnects(END_BY_EXEC);
}

/* Takes a request, and is killed before it answers. */
static void server_run(int fd, void *unused)
{
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *listener = cm_listen(channel, RDMA_PS_TCP, 0);
	uint16_t port = ntohs(rdma_get_src_port(listener));

	(void)unused;
	vt_tell(fd, &port, sizeof(port));
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST), 0);
	raise(SIGKILL);
}

static void a_server_that_is_killed_before_it_answers_rejects(void)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct vt_peer peer = vt_fork(server_run, NULL);
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_event *event;
	struct rdma_cm_id *id;
	uint16_t port;

	vt_hear(peer.fd, &port, sizeof(port));
	id = cm_resolve(channel, RDMA_PS_TCP, port);
	cm_queue_pair(id);
	VT_EQUAL(rdma_connect(id, &param), 0);
	event = cm_event(channel, RDMA_CM_EVENT_REJECTED);
	VT_EQUAL(event->status, 28);
	VT_EQUAL(rdma_ack_cm_event(event), 0);
	process_join(&peer, END_BY_KILL);
	cm_end(id);
	rdma_destroy_event_channel(channel);
}

/* Asks, and does not mind the answer until it is told to end. */
static void asker_run(int fd, void *unused)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct rdma_event_channel *channel = cm_channel();
	struct rdma_cm_id *id;
	uint16_t port;

	(void)unused;
	vt_hear(fd, &port, sizeof(port));
	id = cm_resolve(channel, RDMA_PS_TCP, port);
	VT_EQUAL(rdma_connect(id, &param), 0);
	vt_hear(fd, &port, sizeof(port));
	exit(0);
}

/* The adapter keeps an eye on some of a function's peers only. */
static void the_end_of_one_of_many_is_noticed(void)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct vt_peer peers[ASKERS];
	struct rdma_event_channel *channel;
	struct rdma_cm_event *event;
	struct rdma_cm_id *listener, *first = NULL;
	uint16_t port;
	int i;

	for (i = 0; i < ASKERS; i++)
		peers[i] = vt_fork(asker_run, NULL);
	channel = cm_channel();
	listener = cm_listen(channel, RDMA_PS_TCP, ASKERS);
	port = ntohs(rdma_get_src_port(listener));
	for (i = 0; i < ASKERS; i++) {
		vt_tell(peers[i].fd, &port, sizeof(port));
		event = cm_event(channel, RDMA_CM_EVENT_CONNECT_REQUEST);
		first = first ? first : event->id;
		VT_EQUAL(rdma_accept(event->id, &param), 0);
		VT_EQUAL(rdma_ack_cm_event(event), 0);
	}
	VT_EQUAL(kill(peers[0].pid, SIGKILL), 0);
	event = cm_event(channel, RDMA_CM_EVENT_REJECTED);
	VT_CHECK(event->id == first);
	VT_EQUAL(rdma_ack_cm_event(event), 0);
	process_join(&peers[0], END_BY_KILL);
	for (i = 1; i < ASKERS; i++) {
		vt_tell(peers[i].fd, &port, sizeof(port));
		vt_join(&peers[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(a_connection_lives_and_ends),
		VT_CASE(a_rejection_says_why),
		VT_CASE(a_port_without_a_listener_refuses),
		VT_CASE(a_port_belongs_to_one),
		VT_CASE(what_is_too_long_is_refused),
		VT_CASE(a_full_backlog_rejects),
		VT_CASE(a_channel_waits_as_its_descriptor_says),
		VT_CASE(a_closed_channel_disconnects),
		VT_CASE(datagrams_have_an_answer),
		VT_CASE(ids_are_many),
		VT_CASE(events_are_many),
		VT_CASE(a_child_leaves_its_parents_channel_alone),
		VT_CASE(a_process_that_ends_disconnects),
		VT_CASE(a_process_that_is_killed_disconnects),
		VT_CASE(a_program_that_is_replaced_disconnects),
		VT_CASE(a_server_that_is_killed_before_it_answers_rejects),
		VT_CASE(the_end_of_one_of_many_is_noticed),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
