"""What people hand in: texts, pages, PDF files and chats, and the addresses that stand in them."""
