"""A signalling server that speaks the protocol of Supabase Realtime."""
