/* fused_conn: the feed and gateway roles' own sources, compiled once more against a connection that is
 * memory.
 *
 * fused_feed.c and fused_gateway.c include this and then the role's source: every name that would collide
 * with the shipped one gets another.  What the connection does instead of sockets and TLS is in fused.c. */
#ifndef POISE_BENCH_FUSED_CONN_H
#define POISE_BENCH_FUSED_CONN_H

#define conn_create           fused_conn_create
#define conn_open             fused_conn_open
#define conn_close            fused_conn_close
#define conn_drop             fused_conn_drop
#define conn_logged_in        fused_conn_logged_in
#define conn_subscribed       fused_conn_subscribed
#define conn_frame_begin      fused_conn_frame_begin
#define conn_frame_commit     fused_conn_frame_commit
#define conn_send_text        fused_conn_send_text
#define conn_send_binary      fused_conn_send_binary
#define conn_can_request      fused_conn_can_request
#define conn_request          fused_conn_request
#define conn_hold             fused_conn_hold
#define conn_set_path         fused_conn_set_path
#define conn_state            fused_conn_state /* the enum too: the same values under this name */
#define conn_heard_ns         fused_conn_heard_ns
#define feed_create           fused_feed_create
#define feed_start            fused_feed_start
#define feed_poll             fused_feed_poll
#define feed_stop             fused_feed_stop
#define feed_live             fused_feed_live
#define feed_state_of         fused_feed_state_of
#define feed_connection_count fused_feed_connection_count
#define gateway_create        fused_gateway_create
#define gateway_start         fused_gateway_start
#define gateway_poll          fused_gateway_poll
#define gateway_cancel_all    fused_gateway_cancel_all
#define gateway_quiet         fused_gateway_quiet
#define gateway_stop          fused_gateway_stop
#define gateway_state         fused_gateway_state

#endif
