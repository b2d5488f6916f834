"""A signalling channel on Supabase Realtime."""
